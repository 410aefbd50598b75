"""Light of the clear sky: single scattering (Rayleigh, Mie, ozone) over a round earth, and its exposure.

The slow part of the integral is done on a coarse grid of rays and key frames and interpolated; the phase
functions, which are sharp near the sun, are applied per pixel. Lengths in km; the sun's irradiance is 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor

from .camera import Camera

GROUND, TOP = 6360.0, 6430.0
RAYLEIGH = (5.8e-3, 13.5e-3, 33.1e-3)  # per km at the ground, for R, G, B
MIE = 3.0e-3
OZONE = (0.65e-3, 1.88e-3, 0.085e-3)
H_RAYLEIGH, H_MIE = 8.0, 1.2
# Exposure by the sun's elevation in degrees.
GAIN = (
    (-14.0, 600.0), (-12.0, 400.0), (-10.0, 180.0), (-8.0, 72.0), (-6.0, 33.0), (-4.0, 21.0), (-2.0, 16.0),
    (0.0, 13.2), (2.0, 11.1), (5.0, 9.0), (10.0, 7.3), (20.0, 6.4), (60.0, 6.2),
)  # fmt: skip
MU_LOW, LUT_TOP = -0.35, 60.0


def _densities(h: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Relative densities of air, dust and ozone at height h."""
    h = h.clamp_min(-3.0)
    return torch.exp(-h / H_RAYLEIGH), torch.exp(-h / H_MIE), (1 - (h - 25).abs() / 15).clamp_min(0)


def _extinction(h: Tensor, turbidity: float) -> Tensor:
    """[...] -> [..., 3] per km."""
    air, dust, ozone = _densities(h)
    ray, o3 = torch.tensor(RAYLEIGH).to(h), torch.tensor(OZONE).to(h)
    return air[..., None] * ray + dust[..., None] * (MIE * 1.11 * turbidity) + ozone[..., None] * o3


@lru_cache(maxsize=64)
def sun_lut(turbidity: float) -> Tensor:
    """Transmittance to the sun, [3, heights 48, sun cosines 128]; the earth's shadow comes out soft."""
    r = GROUND + torch.linspace(0, 1, 48)[:, None] ** 2 * LUT_TOP  # [48, 1]
    mu = torch.linspace(MU_LOW, 1, 128)[None]
    far = -r * mu + (r * r * (mu * mu - 1) + TOP * TOP).sqrt()  # [48, 128]
    s = (torch.arange(48) + 0.5) / 48
    d = far[..., None] * s  # [48, 128, 48]
    h = (r[..., None] ** 2 + d**2 + 2 * r[..., None] * mu[..., None] * d).sqrt() - GROUND
    depth = _extinction(h, turbidity).sum(-2) * (far / 48)[..., None]
    return torch.exp(-depth).permute(2, 0, 1).contiguous()


def sunlight(turbidity: float, h: Tensor, mu: Tensor) -> Tensor:
    """Sunlight that reaches height h when the sun's zenith cosine there is mu: [...] -> [..., 3]."""
    lut = sun_lut(round(turbidity, 1)).to(h)
    shape = torch.broadcast_shapes(h.shape, mu.shape)
    y = (h.clamp(0, LUT_TOP) / LUT_TOP).sqrt() * 2 - 1
    x = (mu - MU_LOW) / (1 - MU_LOW) * 2 - 1
    grid = torch.stack([x.expand(shape), y.expand(shape)], -1).reshape(1, 1, -1, 2)
    out = F.grid_sample(lut[None], grid, padding_mode="border", align_corners=True)
    return out[0, :, 0].T.reshape(*shape, 3)


def scatter(rays: Tensor, sun: Tensor, turbidity: float, steps: int = 20) -> Tensor:
    """Rays [R, C, 3], suns [K, 3] -> [K, R, C, 9]: Rayleigh, Mie and many-bounce light, before phase."""
    r0 = GROUND + 0.2
    mu = rays[..., 1]
    far = -r0 * mu + (r0 * r0 * (mu * mu - 1) + TOP * TOP).sqrt()  # [R, C]
    edge = torch.linspace(0, 1, steps + 1).to(rays) ** 2
    mid, width = (edge[1:] + edge[:-1]) / 2, edge[1:] - edge[:-1]
    d = far[..., None] * mid  # [R, C, S]
    r = (r0 * r0 + d * d + 2 * r0 * mu[..., None] * d).sqrt()
    h = r - GROUND
    air, dust, _ = _densities(h)
    step = far[..., None] * width
    depth = _extinction(h, turbidity) * step[..., None]  # [R, C, S, 3]
    seen = torch.exp(-(depth.cumsum(-2) - depth / 2)) * step[..., None]
    s = sun[:, None, None, None, :]  # [K, 1, 1, 1, 3]
    toward = (rays[..., None, :] * s).sum(-1)  # [K, R, C, 1]
    cos = (r0 * s[..., 1] + d * toward) / r  # [K, R, C, S]
    lit = sunlight(turbidity, h, cos)  # [K, R, C, S, 3]
    fill = sunlight(turbidity, h + 12, cos + 0.05)
    ray, mie = torch.tensor(RAYLEIGH).to(rays), MIE * turbidity
    source_r = air[..., None] * ray * seen
    source_m = dust[..., None] * mie * seen
    parts = [(lit * source_r).sum(-2), (lit * source_m).sum(-2), (fill * (source_r + source_m)).sum(-2)]
    return torch.cat(parts, -1)


@dataclass(frozen=True)
class Sky:
    radiance: Tensor  # [T, H, W, 3] exposed, the sun's disc left out
    exposure: Tensor  # [T]
    horizon: Tensor  # [T, 3] exposed mean light near the horizon
    zenith: Tensor  # [T, 3] exposed mean light at the top
    cosine: Tensor  # [T, H, W] between ray and sun


def mie_phase(cosine: Tensor, g: float) -> Tensor:
    return (1 - g * g) / (12.566 * (1 + g * g - 2 * g * cosine) ** 1.5)


def clear_sky(camera: Camera, coarse: Camera, sun: Tensor, turbidity: float, keys: int = 13) -> Sky:
    """Sun directions [T, 3] -> the sky."""
    t, size = len(sun), camera.size
    keyed = F.interpolate(sun.T[None], size=min(keys, t), mode="linear", align_corners=True)[0].T
    parts = scatter(coarse.rays, keyed / keyed.norm(dim=-1, keepdim=True), turbidity)  # [K, R, C, 9]
    exposure = _gain(torch.rad2deg(torch.asin(sun[:, 1])))  # [T]
    volume = parts.permute(3, 0, 1, 2)[None]  # [1, 9, K, R, C]
    r, c = parts.shape[1:3]
    full = F.interpolate(volume, size=(t, r, c), mode="trilinear", align_corners=True)[0]  # [9, T, R, C]
    full = full.permute(1, 0, 2, 3) * exposure[:, None, None, None]
    wide = F.interpolate(full, size=(size, size), mode="bilinear", align_corners=True)  # [T, 9, H, W]
    cosine = torch.einsum("hwc,tc->thw", camera.rays, sun)
    phase_r = (0.0597 * (1 + cosine**2))[:, None]
    phase_m = (0.75 * mie_phase(cosine, 0.76) + 0.08)[:, None]
    col = wide[:, :3] * phase_r + wide[:, 3:6] * phase_m + wide[:, 6:] * 0.035
    col = col.permute(0, 2, 3, 1).contiguous()
    flat = full[:, :3] * 0.08 + full[:, 3:6] * 0.1 + full[:, 6:] * 0.035  # [T, 3, R, C]
    low = int(torch.searchsorted(-coarse.up, -0.06).clamp(1, r - 1))
    return Sky(col, exposure, flat[:, :, low].mean(-1), flat[:, :, : max(2, r // 4)].mean((2, 3)), cosine)


def _gain(elevation: Tensor) -> Tensor:
    """The camera's exposure: opens as the sun sinks, yet less than the light falls. [T] degrees -> [T]"""
    x = torch.tensor([e for e, _ in GAIN]).to(elevation)
    y = torch.tensor([g for _, g in GAIN]).to(elevation).log()
    i = (torch.searchsorted(x, elevation.clamp(x[0], x[-1])) - 1).clamp(0, len(x) - 2)
    f = ((elevation - x[i]) / (x[i + 1] - x[i])).clamp(0, 1)
    return torch.lerp(y[i], y[i + 1], f).exp()
