"""The camera: a pinhole with the horizon shifted down, so upright lines stay upright. Never moves."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from .scene import Scene


@dataclass(frozen=True)
class Camera:
    """Pixel grid of one scene. H = W = size."""

    size: int
    fov: float
    horizon_y: float
    across: Tensor  # [W] tan of the ray to the right
    up: Tensor  # [H] tan of the ray above the horizon, clamped just above it
    rays: Tensor  # [H, W, 3] unit


def grid_rays(across: Tensor, up: Tensor) -> Tensor:
    """Tangents [W], [H] -> unit rays [H, W, 3]."""
    h, w = len(up), len(across)
    rays = torch.stack([across.expand(h, w), up[:, None].expand(h, w), torch.ones(h, w).to(up)], -1)
    return rays / rays.norm(dim=-1, keepdim=True)


def make_camera(scene: Scene, size: int, device: str, rows: int = 0, cols: int = 0) -> Camera:
    """The picture's rays, or a coarse grid of rows x cols over the same picture (its edges included)."""
    if rows:
        x = torch.linspace(-0.5, 0.5, cols, device=device)
        y = torch.linspace(1.0, 0.0, rows, device=device)
    else:
        x = (torch.arange(size, device=device) + 0.5) / size - 0.5
        y = 1.0 - (torch.arange(size, device=device) + 0.5) / size
    across = x * scene.fov
    up = ((y - scene.horizon_y) * scene.fov).clamp_min(0.004)
    return Camera(size, scene.fov, scene.horizon_y, across, up, grid_rays(across, up))


def project(scene: Scene, directions: np.ndarray, size: int) -> np.ndarray:
    """Directions [..., 3] -> pixel coordinates [..., 2] (x right, y down), far away when behind the camera."""
    ahead = directions[..., 2] > 0.05
    z = np.where(ahead, directions[..., 2], 1.0)
    x = (directions[..., 0] / z / scene.fov + 0.5) * size
    y = (1 - (directions[..., 1] / z / scene.fov + scene.horizon_y)) * size
    return np.where(ahead[..., None], np.stack([x, y], -1), -1e4)


def unproject(scene: Scene, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Places in the picture (0..1 from the left, 0..1 from the bottom) -> unit directions [..., 3]."""
    v = np.stack([(x - 0.5) * scene.fov, (y - scene.horizon_y) * scene.fov, np.ones_like(x)], -1)
    return v / np.linalg.norm(v, axis=-1, keepdims=True)
