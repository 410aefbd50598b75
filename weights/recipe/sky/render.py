"""A scene to pixels: puts air, stars, moon, sun, clouds and land over one another, then develops the picture.

Everything is [T, H, W(, 3)] at once, linear light; nothing in here draws random numbers but the noise seeds.
"""

from __future__ import annotations

import torch
from torch import Tensor

from .atmosphere import Sky, clear_sky, mie_phase, sunlight
from .camera import Camera, make_camera, project
from .celestial import disc, moon, moon_path, stars
from .clouds import Deck, cirrus, cumulus
from .land import ridges
from .scene import Scene, sun_path, unit


def _ramp(x: Tensor, low: float, high: float) -> Tensor:
    s = ((x - low) / (high - low)).clamp(0, 1)
    return s * s * (3 - 2 * s)


def _rgb(values: tuple[float, float, float], like: Tensor) -> Tensor:
    return torch.tensor(values, dtype=like.dtype, device=like.device)


class _Light:
    """Light of each frame: [T, 3] unless said otherwise."""

    def __init__(self, scene: Scene, sun: Tensor, sky: Sky, moon_at: Tensor) -> None:
        self.elevation = torch.rad2deg(torch.asin(sun[:, 1]))  # [T]
        self.night = _ramp(-self.elevation, 3.0, 11.0)[:, None]  # [T, 1]
        exposure = sky.exposure[:, None].clamp_max(14.0)

        def at(h: float) -> Tensor:
            return sunlight(scene.turbidity, torch.full_like(sun[:, 1], h), sun[:, 1]) ** 0.72 * exposure

        self.ground, self.low, self.high = at(0.3), at(3.0), at(9.0)
        hue = scene.night_hue
        full = (0.45 + 0.55 * scene.moon_phase) if scene.moon else 0.0
        self.moonlight = self.night * _rgb((0.55, 0.68, 0.95), sun) * full
        lift = 1 + 0.7 * full
        self.night_low = self.night * _rgb((0.034 + 0.014 * hue, 0.060 - 0.012 * hue, 0.112), sun) * lift
        self.night_high = self.night * _rgb((0.007 + 0.004 * hue, 0.014 - 0.003 * hue, 0.042), sun) * lift
        blue = _ramp(-self.elevation, -2.0, 4.5) * (1 - _ramp(-self.elevation, 6.0, 13.0))
        self.night_low = self.night_low + blue[:, None] * _rgb((0.020 + 0.014 * hue, 0.034, 0.080), sun)
        self.night_high = self.night_high + blue[:, None] * _rgb((0.008 + 0.008 * hue, 0.022, 0.070), sun)
        self.sky_low = sky.horizon + self.night_low
        self.sky_high = sky.zenith + self.night_high
        self.by_sun = bool(self.elevation.mean() > -5.5)
        self.direction = sun if self.by_sun or not scene.moon else moon_at


def _over(col: Tensor, top: Tensor, alpha: Tensor) -> Tensor:
    return torch.lerp(col, top, alpha[..., None])


def _cloud_colour(deck: Deck, light: _Light, beam: Tensor, cosine: Tensor, thin: bool) -> Tensor:
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
        beam = beam if light.by_sun else light.moonlight
    day = _ramp(light.elevation, -3.0, 8.0)[:, None]
    ambient = light.sky_low * (0.16 + 0.34 * day) + light.sky_high * 0.95
    ambient = ambient * _rgb((0.97, 1.0, 1.06), ambient)
    return direct[..., None] * beam[:, None, None] + soft[..., None] * ambient[:, None, None]


def _sun_disc(scene: Scene, camera: Camera, sun: Tensor, light: _Light, clear: Tensor) -> Tensor:
    """Disc and its soft halo [T, H, W, 3]."""
    size, device = camera.size, str(sun.device)
    centres = project(scene, sun.double().cpu().numpy(), size)
    cover, distance = disc(centres, scene.sun_radius * size / 64, size, device)
    d = distance * 64 / size
    height = _ramp(light.elevation, -1.0, 12.0)[:, None]  # [T, 1]
    colour = light.ground / light.ground.amax(-1, keepdim=True).clamp_min(1e-6)
    colour = torch.lerp(colour, _rgb((1.0, 0.52, 0.20), sun).expand_as(colour), 0.4 * (1 - height))
    power = colour * _ramp(light.elevation, -4.0, 1.0)[:, None]
    near = torch.exp(-d / 3.2)[..., None] * (0.8 * power)[:, None, None]
    wide = torch.exp(-d / 13.0)[..., None] * (power * (0.34 - 0.18 * height))[:, None, None]
    face = cover[..., None] * (power * (2.6 + 5.0 * height))[:, None, None]
    clearness = clear[..., None]
    return face * clearness**2 + (near + wide) * (0.25 + 0.75 * clearness)


def _moon_light(scene: Scene, camera: Camera, light: _Light, frames: int) -> tuple[Tensor, Tensor]:
    """Disc (hidden by cloud) and glow (not wholly) [T, H, W, 3]."""
    lit, cover, glow = moon(scene, frames, camera.size, str(camera.up.device))
    shown = (0.15 + 0.85 * _ramp(-light.elevation, -2.0, 7.0))[:, None, None]
    face = (lit * 1.7 + cover * 0.04) * shown
    glow = glow * light.night[:, None] * (0.25 + 0.75 * scene.moon_phase) * 0.55
    return face[..., None] * _rgb((1.0, 0.95, 0.84), lit), glow[..., None] * _rgb((0.72, 0.82, 1.0), lit)


def _land(scene: Scene, camera: Camera, col: Tensor, sun: Tensor, light: _Light) -> Tensor:
    """Ridges over the picture."""
    green, brown = _rgb((0.030, 0.048, 0.022), col), _rgb((0.048, 0.040, 0.036), col)
    albedo = torch.lerp(green, brown, scene.land_hue) * (0.5 if scene.land == "forest" else 1.0)
    beam = light.ground * sun[:, 1:2].clamp_min(0.0) * 0.9
    ambient = light.sky_low * 0.45 + light.sky_high * 0.65 + light.moonlight * 0.10
    haze = light.sky_low * 0.92
    for ridge in ridges(scene, camera.size, str(col.device)):
        side = (ridge.slope[None, :] * sun[:, 0:1] * 1.1).clamp(-0.5, 0.5)  # [T, W]
        lit = beam[:, None] * (1 - side[..., None]) + ambient[:, None]  # [T, W, 3]
        ground = (lit * albedo)[:, None]  # [T, 1, W, 3]
        depth = (ridge.below / max(scene.land_height, 0.05)).clamp(0, 1)
        mist = ridge.distance * (0.82 + 0.4 * depth) + 0.05 * scene.haze * depth * (ridge.distance == 0)
        ground = torch.lerp(ground, haze[:, None, None], mist[None, ..., None].clamp(0, 0.92))
        col = torch.lerp(col, ground, ridge.coverage[None, ..., None])
    return col


def _filmic(x: Tensor) -> Tensor:
    return (x * (2.51 * x + 0.03)) / (x * (2.43 * x + 0.59) + 0.14)


def develop(col: Tensor) -> Tensor:
    """Linear light -> display: richer colour, filmic curve, sRGB, bytes."""
    grey = col @ _rgb((0.25, 0.62, 0.13), col)
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
    path = sun_path(scene.sun_azimuth, scene.sun_elevation, pole, scene.turn, frames)
    sun = torch.as_tensor(path, dtype=torch.float32, device=device)  # [T, 3]
    moon_at = torch.as_tensor(moon_path(scene, frames), dtype=torch.float32, device=device)
    sky = clear_sky(camera, coarse, sun, scene.turbidity)
    light = _Light(scene, sun, sky, moon_at)

    height = torch.exp(-camera.up / 0.28)[None, :, None, None]  # [1, H, 1, 1]
    col = sky.radiance + torch.lerp(light.night_high[:, None, None], light.night_low[:, None, None], height)
    air = col  # what far clouds fade into
    high, low = cirrus(scene, camera, frames, generator), cumulus(scene, camera, light.direction, generator)
    clear = torch.ones_like(sky.cosine)
    for deck in (high, low):
        if deck is not None:
            clear = clear * (1 - deck.alpha * (0.6 if deck is high else 1.0))
    dusk = _ramp(-light.elevation, 4.0, 9.0)[:, None, None, None]
    if float(dusk.max()) > 0:
        fade = _ramp(camera.up, 0.02, 0.22)[None, :, None, None]
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
            colour = _cloud_colour(deck, light, beam, cosine, deck is high)
            col = _over(col, _over(colour, air, veil), deck.alpha * (1.0 if deck is high else 0.97))
    if scene.moon:
        col = col + glow * (0.35 + 0.65 * clear[..., None])
    col = col + _sun_disc(scene, camera, sun, light, clear)
    return develop(_land(scene, camera, col, sun, light))
