"""A scene to pixels: puts air, stars, moon, sun, clouds and land over one another, then develops the picture.

Everything is [T, H, W(, 3)] at once, linear light; nothing in here draws random numbers but the noise seeds.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from .atmosphere import clear_sky, mie_phase
from .camera import Camera, make_camera, project
from .celestial import disc, moon, moon_path, stars
from .clouds import Deck, cirrus, cumulus
from .foreground import foreground, land
from .light import Light, over, ramp, rgb
from .scene import Scene, sun_path, unit


def _cloud_colour(scene: Scene, deck: Deck, light: Light, beam: Tensor, cosine: Tensor, thin: bool) -> Tensor:
    """Light of a deck [T, H, W, 3]; beam is the sun at its height, cosine is towards light.direction."""
    through = torch.exp(-1.0 * deck.thickness)
    forward = mie_phase(cosine, 0.72)
    if thin:
        direct = 0.065 + 0.24 * forward
        soft = torch.full_like(forward, 0.95)
    else:
        silver = forward * through * (0.35 + 0.65 * deck.shade)
        front = 0.092 + 0.10 * (0.3 - cosine).clamp_min(0)  # lit from behind the camera: whiter
        direct = 0.008 + front * deck.shade * (0.3 + 0.7 * through) + 0.42 * silver
        soft = 0.5 + 0.5 * through
        if scene.fine:  # greyer where it is thick, brighter where the light gets at it
            direct = 0.006 + front * 1.12 * deck.shade * (0.24 + 0.76 * through) + 0.46 * silver
            soft = 0.40 + 0.60 * through + 0.10 * deck.shade
        beam = beam if light.by_sun else light.moonlight
    day = ramp(light.elevation, -3.0, 8.0)[:, None]
    ambient = light.sky_low * (0.16 + 0.34 * day) + light.sky_high * 0.95
    ambient = ambient * rgb((0.97, 1.0, 1.06), ambient)
    if scene.relief:  # light has come a long way through it: greyer, little from one side, folds from below
        beam = beam * 0.16
        ambient = torch.lerp(ambient.mean(-1, keepdim=True) * rgb((0.94, 1.0, 1.10), ambient), ambient, 0.45)
        soft = 0.95 * (1 - scene.relief * (0.62 - through).clamp(-0.4, 0.5))
    return direct[..., None] * beam[:, None, None] + soft[..., None] * ambient[:, None, None]


def _sun_disc(scene: Scene, camera: Camera, path: np.ndarray, light: Light, clear: Tensor) -> Tensor:
    """Disc and its soft halo [T, H, W, 3]; path: float32 directions [T, 3]."""
    size = camera.size
    cover, distance = disc(
        project(scene, path.astype(np.float64), size), scene.sun_radius * size / 64, size, str(clear.device)
    )
    d = distance * 64 / size
    height = ramp(light.elevation, -1.0, 12.0)[:, None]  # [T, 1]
    colour = light.ground / light.ground.amax(-1, keepdim=True).clamp_min(1e-6)
    colour = torch.lerp(colour, rgb((1.0, 0.52, 0.20), clear).expand_as(colour), 0.4 * (1 - height))
    power = colour * ramp(light.elevation, -4.0, 1.0)[:, None]
    near = torch.exp(-d / 3.2)[..., None] * (0.8 * power)[:, None, None]
    wide = torch.exp(-d / 13.0)[..., None] * (power * (0.34 - 0.18 * height))[:, None, None]
    face = cover[..., None] * (power * (2.6 + 5.0 * height))[:, None, None]
    clearness = clear[..., None]
    return face * clearness**2 + (near + wide) * (0.25 + 0.75 * clearness)


def _moon_light(scene: Scene, camera: Camera, light: Light, frames: int) -> tuple[Tensor, Tensor]:
    """Disc (hidden by cloud) and glow (not wholly) [T, H, W, 3]."""
    lit, cover, glow = moon(scene, frames, camera.size, str(camera.up.device))
    shown = (0.15 + 0.85 * ramp(-light.elevation, -2.0, 7.0))[:, None, None]
    face = (lit * 1.7 + cover * 0.04) * shown
    glow = glow * light.night[:, None] * (0.25 + 0.75 * scene.moon_phase) * 0.55
    return face[..., None] * rgb((1.0, 0.95, 0.84), lit), glow[..., None] * rgb((0.72, 0.82, 1.0), lit)


def _filmic(x: Tensor) -> Tensor:
    return (x * (2.51 * x + 0.03)) / (x * (2.43 * x + 0.59) + 0.14)


def develop(col: Tensor) -> Tensor:
    """Linear light -> display: richer colour, filmic curve, sRGB, bytes."""
    grey = col @ rgb((0.25, 0.62, 0.13), col)
    col = torch.lerp(grey[..., None], col, 1.25).clamp_min(0)
    peak = col.amax(-1, keepdim=True).clamp_min(1e-6)
    col = torch.lerp(_filmic(col), col * (_filmic(peak) / peak), 0.45)  # half by hue: orange stays orange
    return (col.clamp(0, 1).pow(1 / 2.2) * 255 + 0.5).to(torch.uint8)


@torch.no_grad()
def render(scene: Scene, frames: int = 64, size: int = 64, device: str = "cpu") -> Tensor:
    """The clip, uint8 [T, H, W, 3]. The same scene at any even size; the arc of the sun fills any length."""
    if frames < 2 or size < 16 or size % 2:
        raise ValueError(f"render: needs frames >= 2 and an even size >= 16, got {frames=} {size=}")
    camera, coarse = make_camera(scene, size, device), make_camera(scene, size, device, 32, 14)
    generator = torch.Generator().manual_seed(scene.seed)
    pole = unit(scene.pole_azimuth, scene.latitude)
    path = sun_path(scene.sun_azimuth, scene.sun_elevation, pole, scene.turn, frames).astype(np.float32)
    sun = torch.as_tensor(path, device=device)  # [T, 3]
    moon_at = torch.as_tensor(moon_path(scene, frames), dtype=torch.float32, device=device)
    sky = clear_sky(camera, coarse, sun, scene.turbidity)
    light = Light(scene, sun, sky, moon_at)

    height = torch.exp(-camera.up / 0.28)[None, :, None, None]  # [1, H, 1, 1]
    col = sky.radiance + torch.lerp(light.night_high[:, None, None], light.night_low[:, None, None], height)
    air = col  # what far clouds fade into
    high, low = cirrus(scene, camera, frames, generator), cumulus(scene, camera, light.direction, generator)
    clear = torch.ones_like(sky.cosine)
    for deck in (high, low):
        if deck is not None:
            clear = clear * (1 - deck.alpha * (0.6 if deck is high else 1.0))
    dusk = ramp(-light.elevation, 4.0, 9.0)[:, None, None, None]
    if float(dusk.max()) > 0:
        fade = ramp(camera.up, 0.02, 0.22)[None, :, None, None]
        dots = stars(scene, frames, size, device)
        if scene.moon:
            dots = dots * (1 - moon(scene, frames, size, device)[1].sqrt())[..., None]
        col = col + dots * (dusk * fade) * (clear**2)[..., None] * 0.9
    if scene.moon:
        face, glow = _moon_light(scene, camera, light, frames)
        col = col + face * (clear**2)[..., None]
    cosine = sky.cosine if light.by_sun else torch.einsum("hwc,tc->thw", camera.rays, light.direction)
    veil = torch.exp(-camera.up / (0.035 + 0.09 * scene.haze))[None, :, None] * 0.9
    for deck, beam in ((high, light.high), (low, light.low)):
        if deck is not None:
            colour = _cloud_colour(scene, deck, light, beam, cosine, deck is high)
            col = over(col, over(colour, air, veil), deck.alpha * (1.0 if deck is high else 0.97))
    if scene.moon:
        col = col + glow * (0.35 + 0.65 * clear[..., None])
    col = col + _sun_disc(scene, camera, path, light, clear)
    col = foreground(scene, camera, col, sun, light, clear) if scene.fine else land(scene, camera, col, sun, light)
    return develop(col)
