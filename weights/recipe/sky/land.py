"""The silhouette at the foot of the picture: one to three ridges, exact pixel coverage, never moving."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from .noise import N, band, white
from .scene import Scene

SUB = 8  # columns sampled in each pixel of a 64 pixel picture


@dataclass(frozen=True)
class Ridge:
    """One layer, far ones first."""

    coverage: Tensor  # [H, W]
    below: Tensor  # [H, W] depth under the crest, fraction of the picture
    slope: Tensor  # [W] of the crest, for which side the light falls on
    distance: float  # 0 near .. 1 lost in the air
    crest: np.ndarray  # [W * SUB] height, fraction of the picture


def _waves(rng: np.random.Generator, x: np.ndarray, first: float, octaves: int, fall: float) -> np.ndarray:
    """Smooth fractal line, about -1..1."""
    out, total = np.zeros_like(x), 0.0
    for o in range(octaves):
        for _ in range(2):
            f = first * 2.0**o * rng.uniform(0.75, 1.3)
            out += fall**o * np.sin(6.2832 * (f * x + rng.random()))
        total += 1.5 * fall**o
    return out / total


def _peaks(rng: np.random.Generator, x: np.ndarray, first: float) -> np.ndarray:
    """Jagged fractal line, 0..1: sharp crests, straight flanks."""
    out, total = np.zeros_like(x), 0.0
    for o in range(4):
        f, p = first * 2.1**o * rng.uniform(0.85, 1.2), rng.random()
        s = np.mod(f * x + p + 0.12 * np.sin(6.2832 * (0.7 * f * x + rng.random())), 1.0)
        skew = rng.uniform(0.38, 0.62)
        out += 0.46**o * np.where(s < skew, s / skew, (1 - s) / (1 - skew))
        total += 0.46**o
    return out / total


def _conifers(rng: np.random.Generator, x: np.ndarray, height: float) -> np.ndarray:
    """Tree tops above a line: overlapping slim cones of differing height."""
    out = np.zeros_like(x)
    at = -0.02
    while at < 1.02:
        h = height * rng.uniform(0.35, 1.0) * (0.65 + 0.35 * np.sin(at * 5 + height * 99))
        half = 0.26 * h + 0.008
        out = np.maximum(out, h * np.clip(1 - np.abs(x - at) / half, 0, 1) ** 0.9)
        at += half * rng.uniform(0.7, 1.9)
    return out


def crests(scene: Scene, x: np.ndarray) -> list[tuple[np.ndarray, float]]:
    """Heights (fraction of the picture) over places x in 0..1, with distance; far first."""
    found = _crests(scene, x)
    if not scene.fine:
        return found
    rng = np.random.default_rng([scene.seed, 0x1A4D, 128])
    out = []
    for line, distance in found:
        if scene.water and scene.land != "plain":  # the far shore stands on the horizon
            line = scene.horizon_y + line
        rough = _waves(rng, x, 9.0, 4, 0.55) * scene.land_height * (0.035 if scene.land == "jagged" else 0.02)
        if scene.land in ("rolling", "ridges") and distance < 0.5:  # woods along parts of the crest
            woods = np.clip(_waves(rng, x, 1.3, 3, 0.6) * 2.2 + 0.3, 0, 1)
            rough = rough + _conifers(rng, x, 0.024 * (1 - distance)) * woods * (0.5 if scene.water else 1.0)
        out.append((line + rough, distance))
    return out


def _crests(scene: Scene, x: np.ndarray) -> list[tuple[np.ndarray, float]]:
    rng = np.random.default_rng([scene.seed, 0x1A4D])
    h = scene.land_height
    if scene.land == "rolling":
        near = h * (0.66 + 0.34 * _waves(rng, x, 0.8, 3, 0.4))
        return [(near, 0.0)]
    if scene.land == "jagged":
        far = h * (0.42 + 0.58 * _peaks(rng, x, rng.uniform(1.0, 1.8)))
        near = h * (0.30 + 0.10 * _waves(rng, x, 1.2, 3, 0.5))
        return [(far, 0.36), (near, 0.0)]
    if scene.land == "ridges":
        back = h * (0.82 + 0.18 * _waves(rng, x, 0.9, 4, 0.5))
        mid = h * (0.58 + 0.16 * _waves(rng, x, 0.8, 3, 0.45))
        near = h * (0.30 + 0.20 * _waves(rng, x, 0.7, 3, 0.45))
        return [(back, 0.62), (mid, 0.34), (near, 0.0)]
    if scene.land == "forest":
        base = h * (0.45 + 0.15 * _waves(rng, x, 0.6, 2, 0.4))
        trees = _conifers(rng, x, 0.035 + 0.25 * h)
        hill = h * (0.80 + 0.20 * _waves(rng, x, 0.7, 2, 0.4))
        return [(hill, 0.5), (base + trees, 0.0)]
    far = scene.horizon_y + h * 0.18 * (1 + _waves(rng, x, 1.5, 3, 0.5))
    return [(far, 0.55), (np.full_like(x, scene.horizon_y) + 0.004 * _waves(rng, x, 1.0, 2, 0.5), 0.12)]


def ridges(scene: Scene, size: int, device: str) -> list[Ridge]:
    """Ridges of the scene on the pixel grid."""
    n = size * SUB
    x = (np.arange(n) + 0.5) / n
    bottom = 1 - (np.arange(size) + 1) / size  # lower edge of each row
    out = []
    for crest, distance in crests(scene, x):
        cover = np.clip((crest[None] - bottom[:, None]) * size, 0, 1).reshape(size, size, SUB).mean(-1)
        line = crest.reshape(size, SUB).mean(-1)
        below = np.clip(line[None] - bottom[:, None], 0, 1)
        blur = size // 16 * 2 + 1
        slope = np.gradient(np.convolve(np.pad(line, blur // 2, mode="edge"), np.ones(blur) / blur, mode="valid"))
        slope = slope * size * (scene.land != "forest")
        parts = [torch.as_tensor(a, dtype=torch.float32, device=device) for a in (cover, below, slope)]
        out.append(Ridge(parts[0], parts[1], parts[2], distance, crest))
    return out


def land_mask(scene: Scene, size: int, device: str = "cpu") -> Tensor:
    """Coverage [H, W] of all ridges together."""
    clear = torch.ones(size, size, device=device)
    for ridge in ridges(scene, size, device):
        clear = clear * (1 - ridge.coverage)
    if scene.water:  # the shore's own foot; below it the hills are seen again, but in the water
        clear[round((1 - scene.horizon_y) * size) :] = 1
    return 1 - clear


def ground_texture(scene: Scene, size: int, device: str) -> Tensor:
    """Meadows, woods and folds: how bright the ground is at each place, about 1. [H, W]"""
    kind = [band(white(scene.seed, 80 + i, N, device), cycles, 0.7) for i, cycles in enumerate((5.0, 17.0))]
    noise = F.pad((kind[0] + 0.5 * kind[1])[None, None], (0, 1, 0, 1), mode="circular")
    x = (torch.arange(size, device=device) + 0.5) / size
    grid = torch.stack(torch.meshgrid((x * 4) % 1 * 2 - 1, x * 2 - 1, indexing="ij")[::-1], -1)  # flat: seen from aside
    return 1 + 0.10 * F.grid_sample(noise, grid[None], align_corners=True)[0, 0]
