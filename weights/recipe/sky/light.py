"""Light of each frame of a scene, as its clouds, its land and its water see it."""

from __future__ import annotations

import torch
from torch import Tensor

from .atmosphere import Sky, sunlight
from .scene import Scene


def ramp(x: Tensor, low: float, high: float) -> Tensor:
    s = ((x - low) / (high - low)).clamp(0, 1)
    return s * s * (3 - 2 * s)


def rgb(values: tuple[float, float, float], like: Tensor) -> Tensor:
    return torch.tensor(values, dtype=like.dtype, device=like.device)


class Light:
    """Light of each frame: [T, 3] unless said otherwise."""

    def __init__(self, scene: Scene, sun: Tensor, sky: Sky, moon_at: Tensor) -> None:
        self.elevation = torch.rad2deg(torch.asin(sun[:, 1]))  # [T]
        self.night = ramp(-self.elevation, 3.0, 11.0)[:, None]  # [T, 1]
        exposure = sky.exposure[:, None].clamp_max(14.0)

        def at(h: float) -> Tensor:
            return sunlight(scene.turbidity, torch.full_like(sun[:, 1], h), sun[:, 1]) ** 0.72 * exposure

        self.ground, self.low, self.high = at(0.3), at(3.0), at(9.0)
        hue = scene.night_hue
        full = (0.45 + 0.55 * scene.moon_phase) if scene.moon else 0.0
        self.moonlight = self.night * rgb((0.55, 0.68, 0.95), sun) * full
        lift = 1 + 0.7 * full
        self.night_low = self.night * rgb((0.034 + 0.014 * hue, 0.060 - 0.012 * hue, 0.112), sun) * lift
        self.night_high = self.night * rgb((0.007 + 0.004 * hue, 0.014 - 0.003 * hue, 0.042), sun) * lift
        blue = ramp(-self.elevation, -2.0, 4.5) * (1 - ramp(-self.elevation, 6.0, 13.0))
        self.night_low = self.night_low + blue[:, None] * rgb((0.020 + 0.014 * hue, 0.034, 0.080), sun)
        self.night_high = self.night_high + blue[:, None] * rgb((0.008 + 0.008 * hue, 0.022, 0.070), sun)
        self.sky_low = sky.horizon + self.night_low
        self.sky_high = sky.zenith + self.night_high
        self.by_sun = bool(self.elevation.mean() > -5.5)
        self.direction = sun if self.by_sun or not scene.moon else moon_at


def over(col: Tensor, top: Tensor, alpha: Tensor) -> Tensor:
    return torch.lerp(col, top, alpha[..., None])
