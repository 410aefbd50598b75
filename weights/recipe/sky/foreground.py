"""What stands before the sky: ridges, and in sky-128's scenes fog between them, a town's lights, and water."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from .camera import Camera
from .celestial import moon_path
from .fog import bank
from .land import Ridge, ground_texture, ridges
from .light import Light, over, ramp, rgb
from .lights import town
from .scene import Scene
from .water import Surface, glitter, mirrored, surface


def _albedo(scene: Scene, like: Tensor) -> Tensor:
    green, brown = rgb((0.030, 0.048, 0.022), like), rgb((0.048, 0.040, 0.036), like)
    return torch.lerp(green, brown, scene.land_hue) * (0.5 if scene.land == "forest" else 1.0)


def _ground(scene: Scene, ridge: Ridge, light: Light, sun: Tensor, beam: Tensor, albedo: Tensor) -> Tensor:
    """Light of a ridge [T, H, W, 3] (or with H or W of 1), the air before it included."""
    ambient = light.sky_low * 0.45 + light.sky_high * 0.65 + light.moonlight * 0.10
    side = (ridge.slope[None, :] * sun[:, 0:1] * 1.1).clamp(-0.5, 0.5)  # [T, W]
    lit = beam[:, None] * (1 - side[..., None]) + ambient[:, None]  # [T, W, 3]
    ground = (lit[:, None] * albedo) if albedo.dim() > 1 else (lit * albedo)[:, None]
    depth = (ridge.below / max(scene.land_height, 0.05)).clamp(0, 1)
    mist = ridge.distance * (0.82 + 0.4 * depth) + 0.05 * scene.haze * depth * (ridge.distance == 0)
    haze = light.sky_low * 0.92
    return torch.lerp(ground, haze[:, None, None], mist[None, ..., None].clamp(0, 0.92))


def land(scene: Scene, camera: Camera, col: Tensor, sun: Tensor, light: Light) -> Tensor:
    """Ridges over the picture [T, H, W, 3]."""
    albedo = _albedo(scene, col)
    beam = light.ground * sun[:, 1:2].clamp_min(0.0) * 0.9
    for ridge in ridges(scene, camera.size, str(col.device)):
        ground = _ground(scene, ridge, light, sun, beam, albedo)
        col = torch.lerp(col, ground, ridge.coverage[None, ..., None])
    return col


def _seen(scene: Scene, clear: Tensor, towards: Tensor) -> Tensor:
    """How free of cloud the sky is towards directions [T, 3], about there when it is outside the picture: [T]."""
    soft = F.avg_pool2d(clear[:, None], 9, 4)
    z = towards[:, 2].clamp_min(0.05)
    x = towards[:, 0] / z / scene.fov * 2
    y = 1 - 2 * (towards[:, 1] / z / scene.fov + scene.horizon_y)
    grid = torch.stack([x, y], -1)[:, None, None]
    return F.grid_sample(soft, grid.clamp(-1, 1), align_corners=False, padding_mode="border")[:, 0, 0, 0]


def _fog(scene: Scene, camera: Camera, col: Tensor, light: Light, base: float, layer: int, fades: bool) -> Tensor:
    alpha = bank(scene, camera, len(col), base, layer, fades)
    day = ramp(light.elevation, -4.0, 6.0)[:, None]
    white = light.sky_low * (0.75 + 0.2 * day) + light.sky_high * 0.2 + light.ground * 0.05 + light.moonlight * 0.05
    return over(col, white[:, None, None] * (0.8 if scene.relief else 1.0), alpha)


def _sea(scene: Scene, camera: Camera, col: Tensor, sun: Tensor, light: Light, clear: Tensor) -> Tensor:
    """The rows below the horizon become water."""
    s: Surface = surface(scene, camera, len(col))
    mirror = mirrored(scene, camera, col, s)
    grazing = (s.down + 1.2 * scene.ripple)[None, :, None, None]
    fresnel = 0.04 + 0.96 * (1 - grazing).clamp(0, 1) ** 3.5
    body = light.sky_low * rgb((0.02, 0.06, 0.06), col) + light.sky_high * rgb((0.04, 0.10, 0.12), col)
    water = mirror * (fresnel * 0.94) + body[:, None, None]
    up = ramp(light.elevation, -0.6, 2.5)
    shine = glitter(camera, s, sun) * (up * _seen(scene, clear, sun) ** 2)[:, None, None]
    water = water + shine[..., None] * (light.ground * 0.55)[:, None, None]
    if scene.moon:
        path = torch.as_tensor(moon_path(scene, len(col)), dtype=torch.float32, device=col.device)
        shine = glitter(camera, s, path) * _seen(scene, clear, path)[:, None, None]
        water = water + shine[..., None] * (light.moonlight * 0.30)[:, None, None]
    size = camera.size
    part = float(np.clip(scene.horizon_y * size - (size - s.first), 0, 1))  # of the row above that is water
    edge = torch.lerp(col[:, s.first - 1], water[:, 0], part)
    return torch.cat([col[:, : s.first - 1], edge[:, None], water], 1)


def foreground(scene: Scene, camera: Camera, col: Tensor, sun: Tensor, light: Light, clear: Tensor) -> Tensor:
    """All of it over the picture [T, H, W, 3]; `clear` is how free of cloud each pixel is, [T, H, W]."""
    size, device = camera.size, str(col.device)
    layers = ridges(scene, size, device)
    albedo = _albedo(scene, col) * ground_texture(scene, size, device)[..., None]  # [H, W, 3]
    shaded = 0.15 if scene.relief else 1 - 0.5 * scene.cumulus
    beam = light.ground * sun[:, 1:2].clamp_min(0.0) * (0.9 * shaded)
    lit = len(layers) - 1 if scene.water or len(layers) == 1 else len(layers) - 2  # the ridge that the town is on
    points = None
    if scene.lights:
        crest = layers[lit].crest
        if scene.water or scene.land == "plain":
            foot = np.full_like(crest, scene.horizon_y + 0.002)
            crest = np.maximum(crest, foot + 0.025)
        else:
            foot = layers[-1].crest if lit < len(layers) - 1 else 0.25 * crest
        points, glow = town(scene, light.elevation, foot, crest, size)
        col = col + glow
    for i, ridge in enumerate(layers):
        ground = _ground(scene, ridge, light, sun, beam, albedo)
        col = torch.lerp(col, ground, ridge.coverage[None, ..., None])
        clear = clear * (1 - ridge.coverage)
        if i == lit and points is not None:
            col = col + points
        if scene.fog and not scene.water and i < len(layers) - 1:
            base = float(np.median(layers[i + 1].crest))
            col = _fog(scene, camera, col, light, base, i, False)
    if scene.water:
        if scene.fog:
            col = _fog(scene, camera, col, light, scene.horizon_y, 0, True)
        col = _sea(scene, camera, col, sun, light, clear)
        if scene.fog:
            col = _fog(scene, camera, col, light, scene.horizon_y - 0.3 * scene.fog_height, 1, True)
    return col
