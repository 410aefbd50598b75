"""A lake or a sea below the horizon: the picture above it, mirrored by ripples, and the glitter of sun and moon.

Not waves with crests: slopes of a plane only, filtered to the footprint of a pixel as the clouds are. What the
filter takes away, far out, is kept as a spread: there the mirror is blurred and the glitter wide.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from .camera import Camera
from .noise import N, band, lookup, lost_variance, make_stack, white
from .scene import Scene

PERIOD, CYCLES = 9.0, 10.0  # of the ripples' texture in heights of the eye, and waves along it
FLATTEN = 1.3  # more of the sky in less of the water
TURN = 0.10  # radians a frame at which the ripples change


@dataclass(frozen=True)
class Surface:
    """Rows of the picture from `first` down: R of them."""

    first: int
    down: Tensor  # [R] tan below the horizon
    slope_x: Tensor  # [T, R, W] of what is larger than a pixel
    slope_z: Tensor
    spread: Tensor  # [R] rms slope of what is smaller


def surface(scene: Scene, camera: Camera, frames: int) -> Surface:
    """The ripples, seen from a height of one."""
    device, size = camera.up.device, camera.size
    y = 1 - (torch.arange(size, device=device) + 0.5) / size
    first = int((y > scene.horizon_y).sum())
    down = (scene.horizon_y - y[first:]) * scene.fov  # [R]
    waves = torch.stack([band(white(scene.seed, 40 + i, N, device), CYCLES, 0.7) for i in range(4)])
    stack = make_stack(waves, PERIOD, scene.fov / size, 0.02, float(down[-1]))
    t = (torch.arange(frames, device=device) - (frames - 1) / 2)[:, None, None]
    angle, step = math.radians(scene.wind_direction), 0.02 * scene.wind_speed
    x = (camera.across[None, :] / down[:, None])[None] + t * (step * math.cos(angle))  # [T, R, W]
    z = (1 / down)[None, :, None] + t * (step * math.sin(angle)) + torch.zeros_like(x)
    c = lookup(stack, x, z, down)  # [4, T, R, W]
    a, b = torch.cos(t * TURN), torch.sin(t * TURN)
    spread = scene.ripple * (lost_variance(stack, down)[0] + 0.02).sqrt()
    return Surface(first, down, (c[0] * a + c[1] * b) * scene.ripple, (c[2] * a + c[3] * b) * scene.ripple, spread)


def mirrored(scene: Scene, camera: Camera, col: Tensor, s: Surface) -> Tensor:
    """The picture [T, H, W, 3] as the water throws it back, [T, R, W, 3]."""
    picture = col[:, : s.first].permute(0, 3, 1, 2).clamp_max(3.0).contiguous()  # [T, 3, first, W]
    size = camera.size
    x = camera.across[None, None] / scene.fov + s.slope_x * (s.down[None, :, None] * 2 / scene.fov)  # -0.5..0.5
    out = torch.zeros_like(col[:, s.first :])
    for place, weight in ((-1.0, 0.28), (0.0, 0.44), (1.0, 0.28)):
        # A slope s tips the mirrored ray by 2 s; seen flat, waves show more of their near sides: the mean goes up.
        tip = s.slope_z + (s.spread * (0.7 * place + 0.25))[None, :, None]
        up = (s.down[None, :, None] * FLATTEN + 2 * tip).abs() / scene.fov
        row = (1 - scene.horizon_y - up) * size / s.first * 2 - 1
        grid = torch.stack([(x * 2).expand_as(row), row], -1)
        got = F.grid_sample(picture, grid, align_corners=False, padding_mode="border")  # [T, 3, R, W]
        out += weight * got.permute(0, 2, 3, 1)
    return out


def glitter(camera: Camera, s: Surface, light: Tensor) -> Tensor:
    """Share of the ripples that throw light from directions [T, 3] at the eye, 0..1: [T, R, W]."""
    across, down = camera.across[None, None], s.down[None, :, None]
    length = (1 + across**2 + down**2).sqrt()
    hx, hy, hz = (
        towards / length + light[:, i, None, None]
        for i, towards in ((0, -across), (1, down), (2, -torch.ones_like(down)))
    )
    hy = hy.clamp_min(1e-3)
    need_x, need_z = -hx / hy, -hz / hy
    spread = (s.spread**2 + 0.018**2).sqrt()[None, :, None]
    off = ((need_x - s.slope_x) ** 2 + (need_z - s.slope_z) ** 2) / (2 * spread**2)
    rms = (spread**2 + s.slope_x.var() + s.slope_z.var()).sqrt()
    return torch.exp(-off) * (spread / rms).clamp_min(0.25)
