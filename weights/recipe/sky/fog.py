"""Banks of fog: low, with a torn upper edge, between one ridge and the next or along the far shore."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from .camera import Camera
from .noise import N, band, white
from .scene import Scene

PERIOD = 1.6  # widths of the picture along one period of the texture
DRIFT = 0.45  # speed, of the clouds' at the top of the picture


def bank(scene: Scene, camera: Camera, frames: int, base: float, layer: int, fades: bool) -> Tensor:
    """Opacity [T, H, W] of a bank that stands on `base` (fraction of the picture); below, it `fades` or does not."""
    device, size = camera.up.device, camera.size
    noise = torch.stack([band(white(scene.seed, 60 + 4 * layer + i, N, device), 5.0, 0.8) for i in range(2)])
    noise = F.pad(noise[None], (0, 1, 0, 1), mode="circular")  # [1, 2, N+1, N+1]
    t = torch.arange(frames, device=device) - (frames - 1) / 2
    wind = math.cos(math.radians(scene.wind_direction))
    shift = t * (scene.wind_speed / 64 * DRIFT * (1 + 0.5 * layer) * math.copysign(max(0.5, abs(wind)), wind))
    y = 1 - (torch.arange(size, device=device) + 0.5) / size - base  # above the base
    rows = torch.nonzero((y < 3 * scene.fog_height) & (y > (-2 * scene.fog_height if fades else -1.0)))[:, 0]
    first, last = int(rows[0]), int(rows[-1]) + 1
    y = y[first:last]
    grid = torch.empty(frames, last - first, size, 2, device=device)
    x = camera.across / scene.fov  # -0.5..0.5
    grid[..., 0] = torch.remainder((x[None] - shift[:, None]) / PERIOD, 1.0)[:, None] * 2 - 1
    grid[..., 1] = (torch.remainder(y / (scene.fog_height * 9), 1.0) * 2 - 1)[None, :, None]
    c = F.grid_sample(noise.expand(frames, -1, -1, -1), grid, align_corners=True)  # [T, 2, R, W]
    turn = (t * 0.006)[:, None, None]
    n = c[:, 0] * torch.cos(turn) + c[:, 1] * torch.sin(turn)
    edge = (0.75 + 0.42 * n) - y[None, :, None] / scene.fog_height
    edge = (edge / 1.1 + 0.35).clamp(0, 1)
    alpha = edge * edge * (3 - 2 * edge) * scene.fog * (0.9 + 0.1 * n.clamp(-1, 1))
    if fades:
        alpha = alpha * torch.exp(-((y.clamp_max(0) / (0.55 * scene.fog_height)) ** 2))[None, :, None]
    return F.pad(alpha, (0, 0, first, size - last))
