"""What shines in the sky besides the air: the sun's disc, the moon with its phase, the stars."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from .camera import project, unproject
from .scene import Scene, turn_about, unit


def sky_turn(scene: Scene, frames: int) -> tuple[np.ndarray, np.ndarray]:
    """The pole [3] and the angle turned at each frame [T], zero at the middle."""
    return unit(scene.pole_azimuth, scene.latitude), scene.turn * (np.linspace(0, 1, frames) - 0.5)


def _offsets(centres: np.ndarray, size: int, device: str) -> tuple[Tensor, Tensor]:
    """Pixel centres [T, 2] -> horizontal and vertical distance of each pixel, [T, 1, W] and [T, H, 1]."""
    c = torch.as_tensor(centres, dtype=torch.float32, device=device)
    p = torch.arange(size, device=device) + 0.5
    return p[None, None] - c[:, 0, None, None], p[None, :, None] - c[:, 1, None, None]


def disc(centres: np.ndarray, radius: float, size: int, device: str) -> tuple[Tensor, Tensor]:
    """A round, anti-aliased disc: coverage and distance in pixels, both [T, H, W].

    Coverage rises late (to a power), because the discs are so bright that the film would else cut their edge.
    """
    dx, dy = _offsets(centres, size, device)
    distance = (dx**2 + dy**2).sqrt()
    return ((radius - distance) / 1.5 + 0.6).clamp(0, 1) ** 2.2, distance


def moon(scene: Scene, frames: int, size: int, device: str) -> tuple[Tensor, Tensor, Tensor]:
    """Lit coverage, coverage of the whole disc and glow, each [T, H, W]."""
    centres = project(scene, moon_path(scene, frames), size)
    radius = scene.moon_radius * size / 64
    cover, distance = disc(centres, radius, size, device)
    dx, dy = _offsets(centres, size, device)
    tilt = np.radians(scene.moon_tilt)
    a = dx * float(np.cos(tilt)) + dy * float(np.sin(tilt))  # towards the lit limb
    b = -dx * float(np.sin(tilt)) + dy * float(np.cos(tilt))
    edge = (1 - 2 * scene.moon_phase) * (radius**2 - b**2).clamp_min(0).sqrt()
    lit = cover * ((a - edge) / 1.5 + 0.6).clamp(0, 1) ** 2
    d = distance * 64 / size
    glow = 0.5 * torch.exp(-d / 2.8) + 0.16 * torch.exp(-d / 9)
    return lit, cover, glow


def moon_path(scene: Scene, frames: int) -> np.ndarray:
    """Directions [T, 3]."""
    middle = unproject(scene, np.array([scene.moon_x]), np.array([scene.moon_y]))
    return turn_about(*_about(scene, frames, middle))[:, 0]


def _about(scene: Scene, frames: int, directions: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    pole, angles = sky_turn(scene, frames)
    return pole, directions, angles


def stars(scene: Scene, frames: int, size: int, device: str) -> Tensor:
    """Soft dots that turn with the sky, [T, H, W, 3]; `scene.stars` of them are in an average frame."""
    rng = np.random.default_rng([scene.seed, 0x57A2])
    margin, spread = 0.2, (1 + 2 * 0.2) * 1.2
    n = round(scene.stars * spread / (1 - scene.land_height))
    places = rng.uniform(-margin, 1 + margin, n), rng.uniform(0, 1 + margin, n)
    far = _spaced(np.stack(places, -1), 0.03 if scene.fine else 0.05)
    v = unproject(scene, places[0][far], places[1][far])
    n = len(v)
    bright = 0.13 + 0.95 * rng.random(n) ** 3.0
    if scene.fine:
        bright = 0.12 + 1.5 * rng.random(n) ** 4.0
    tint = rng.uniform(-1, 1, n)[:, None] * np.array([0.16, 0.0, -0.2]) + 1
    centres = project(scene, turn_about(*_about(scene, frames, v)), size)  # [T, S, 2]
    scale = size / 64
    c = torch.as_tensor(centres, dtype=torch.float32, device=device)
    p = torch.arange(size, device=device) + 0.5
    sigma: Tensor | float = 0.62 * scale
    if scene.fine:  # points, the bright ones a little larger
        sigma = torch.as_tensor(0.56 + 0.2 * np.minimum(bright, 1.2), dtype=torch.float32, device=device)[None, :, None]
        sigma = sigma * max(1.0, scale / 2)
    gx = torch.exp(-((p - c[..., 0, None]) ** 2) / (2 * sigma**2))  # [T, S, W]
    gy = torch.exp(-((p - c[..., 1, None]) ** 2) / (2 * sigma**2))  # [T, S, H]
    colour = torch.as_tensor(bright[:, None] * tint, dtype=torch.float32, device=device)  # [S, 3]
    gx3 = (gx[..., None] * colour[None, :, None]).flatten(2)  # [T, S, W*3]
    return torch.bmm(gy.transpose(1, 2), gx3).view(frames, size, size, 3)


def _spaced(p: np.ndarray, least: float = 0.05) -> np.ndarray:
    """Mask of points [N, 2] with no earlier kept point nearer than `least` of the picture."""
    keep = np.zeros(len(p), bool)
    for i, q in enumerate(p):
        keep[i] = not np.any(np.hypot(*(p[keep] - q).T) < least)
    return keep
