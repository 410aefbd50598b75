"""A town's lights at the foot of the hills: fixed places, each switched on at its own depth of dusk."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from .scene import Scene

WARM = np.array([[1.0, 0.50, 0.16], [1.0, 0.66, 0.34], [1.0, 0.80, 0.55]])
COOL = np.array([[0.78, 0.90, 1.0], [0.95, 0.97, 1.0]])
SUB = 8  # as in land.py


def town(scene: Scene, elevation: Tensor, foot: np.ndarray, crest: np.ndarray, size: int) -> tuple[Tensor, Tensor]:
    """Lights between the lines `foot` and `crest` (heights [size * SUB]) while the sun stands at elevations [T].

    Returns the points of light and the glow above them, both [T, H, W, 3].
    """
    rng = np.random.default_rng([scene.seed, 0x70A4])
    n, device = scene.lights, elevation.device
    centres = rng.uniform(0.08, 0.92, rng.integers(1, 4))
    spread = rng.uniform(0.05, 0.16, len(centres))
    which = rng.integers(0, len(centres), n)
    x = centres[which] + spread[which] * rng.standard_normal(n)
    x = np.where(rng.random(n) < 0.15, rng.random(n), x)  # some farms
    column = np.clip((x * size * SUB).astype(int), 0, size * SUB - 1)
    room = np.clip(crest - foot, 0, None)[column]
    y = foot[column] + np.minimum(0.008 + rng.exponential(0.014, n), 0.75 * room)
    keep = (room > 0.012) & (x > 0) & (x < 1)
    warm = rng.random(n) < scene.lights_warm
    colour = np.where(warm[:, None], WARM[rng.integers(0, 3, n)], COOL[rng.integers(0, 2, n)])
    strength = (0.25 + 1.1 * rng.random(n) ** 2.5) * keep
    on_at = rng.uniform(-6.5, -1.5, n)  # the sun's elevation

    def as_tensor(a: np.ndarray) -> Tensor:
        return torch.as_tensor(a, dtype=torch.float32, device=device)

    on = ((as_tensor(on_at)[None] - elevation[:, None]) / 0.7 + 0.5).clamp(0, 1)  # [T, L]
    p = (torch.arange(size, device=device) + 0.5)[None]
    cx, cy = as_tensor(x * size)[:, None], as_tensor((1 - y) * size)[:, None]

    def splat(sx: float, sy: float, lift: float = 0.0) -> Tensor:
        gx = torch.exp(-((p - cx) ** 2) / (2 * sx**2))  # [L, W]
        gy = torch.exp(-((p - cy + lift) ** 2) / (2 * sy**2))  # [L, H]
        each = gy[:, :, None] * gx[:, None] * as_tensor(strength)[:, None, None]  # [L, H, W]
        tinted = (each[..., None] * as_tensor(colour)[:, None, None]).view(n, -1)
        return (on @ tinted).view(-1, size, size, 3)

    sigma = max(0.6, size / 64 * 0.3)
    points = splat(sigma, sigma) + 0.05 * splat(size / 40, size / 40)
    return points, splat(size / 9, size / 16, size / 40) * (0.0035 * scene.lights_glow)
