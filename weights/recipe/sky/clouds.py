"""Two cloud decks on planes overhead: soft cumulus with a short light march, and thin wind-drawn cirrus."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from .camera import Camera
from .noise import Stack, fine_puffs, fine_streaks, lookup, lost_variance, make_stack, puffs, streaks
from .scene import Scene

CYCLES = 8.0  # largest puffs along one period of the texture
CURVE = 0.13  # the decks bend down like the earth, so the farthest puffs stay readable
TAPS = ((0.10, 0.9), (0.26, 0.8), (0.55, 0.6))  # light march: distance in puffs, weight


@dataclass(frozen=True)
class Deck:
    """One layer as seen: all [T, H, W]."""

    alpha: Tensor
    thickness: Tensor
    shade: Tensor  # light that arrives through the deck, 0..1


def _steep(up: Tensor) -> Tensor:
    return (up**2 + CURVE**2).sqrt()


def _drift(scene: Scene, steep_top: float, frames: int, slower: float) -> tuple[Tensor, Tensor]:
    """Offset of the deck in deck heights at each frame, across and in depth: [T] each."""
    t = torch.arange(frames) - (frames - 1) / 2
    step = scene.wind_speed * slower * scene.fov / 64 / steep_top
    angle = torch.deg2rad(torch.tensor(scene.wind_direction))
    return t * step * torch.cos(angle), t * step * torch.sin(angle) / steep_top


def _smooth(x: Tensor) -> Tensor:
    x = x.clamp(0, 1)
    return x * x * (3 - 2 * x)


def _mixed(stack: Stack, x: Tensor, z: Tensor, steep: Tensor, turn: Tensor) -> Tensor:
    """Two textures rotated into one another, so shapes change and their statistics do not. [T, H, W]"""
    c = lookup(stack, x, z, steep)
    return c[0] * torch.cos(turn)[:, None, None] + c[1] * torch.sin(turn)[:, None, None]


def cumulus(scene: Scene, camera: Camera, light: Tensor, generator: torch.Generator) -> Deck | None:
    """The lower deck, shaded from light directions [T, 3]."""
    t, device = len(light), camera.up.device
    if scene.fine and scene.cumulus < 0.03:
        return None
    if scene.fine:
        textures = torch.stack([fine_puffs(scene.seed, s, CYCLES, device) for s in (0, 10)])  # [2, N, N]
    else:
        textures = torch.stack([puffs(generator, CYCLES) for _ in range(2)]).to(device)
    if scene.cumulus < 0.03:
        return None
    steep = _steep(camera.up)  # [H]
    top = float(steep[0])
    period = scene.puff * CYCLES
    stack = make_stack(textures, period, scene.fov / camera.size, CURVE, top)
    dx, dz = (d.to(device)[:, None, None] for d in _drift(scene, top, t, 1.0))
    turn = (torch.arange(t, device=device) - (t - 1) / 2) * (scene.evolution / 64)
    x = (camera.across[None, :] / steep[:, None])[None] + dx  # [T, H, W]
    z = (1 / steep)[None, :, None] + dz + torch.zeros_like(x)
    density = _mixed(stack, x, z, steep, turn)
    if scene.relief:  # a full deck: thick and thin about the mean, and no hole
        thickness = F.softplus(density * 2.0 + 1.0) / 2.0
        return Deck(torch.full_like(density, 0.985), thickness, _march(scene, stack, x, z, steep, turn, light, 0.3))
    threshold = float(torch.quantile(textures[0][::2, ::2] if scene.fine else textures[0], 1 - scene.cumulus))
    edge = 0.34 + 0.5 * scene.softness if scene.fine else 0.55 + 0.55 * scene.softness
    width = (edge**2 + 8 * lost_variance(stack, steep)[0]).sqrt()[:, None]  # [H, 1]
    alpha = _smooth((density - threshold) / width + 0.45)
    thickness = F.softplus((density - threshold) * 3.0) / 3.0
    return Deck(alpha, thickness, _march(scene, stack, x, z, steep, turn, light, threshold))


def _march(
    scene: Scene, stack: Stack, x: Tensor, z: Tensor, steep: Tensor, turn: Tensor, light: Tensor, threshold: float
) -> Tensor:
    """Transmittance towards the light [T, H, W], looked up at half size and every other frame."""
    t, h, w = x.shape
    few = torch.linspace(0, t - 1, (t + 4) // 3, device=x.device).round().long()
    lean = light[few, 1].clamp_min(0.3)
    towards = light[few][:, [0, 2]] / lean[:, None]  # [K, 2] in deck heights
    length = towards.norm(dim=-1, keepdim=True).clamp_min(1e-4)
    towards = towards / length * length.clamp(0.35, 1.3)
    step = towards * scene.puff * 0.75
    half = F.avg_pool2d(x[few][:, None], 2)[:, 0], F.avg_pool2d(z[few][:, None], 2)[:, 0]
    rows = steep.view(-1, 2).mean(1)
    depth = torch.zeros_like(half[0])
    for distance, weight in TAPS:
        px = half[0] + step[:, 0, None, None] * distance
        pz = half[1] + step[:, 1, None, None] * distance
        depth += F.softplus((_mixed(stack, px, pz, rows * 0.8, turn[few]) - threshold) * 3) / 3 * weight
    k = len(few)
    shade = torch.exp(-depth).permute(1, 2, 0).reshape(1, -1, k)  # linear in time, key frames on its ends
    shade = F.interpolate(shade, size=t, mode="linear", align_corners=True).view(h // 2, w // 2, t).permute(2, 0, 1)
    return F.interpolate(shade[None], size=(h, w), mode="bilinear", align_corners=False)[0]


def cirrus(scene: Scene, camera: Camera, frames: int, generator: torch.Generator) -> Deck | None:
    """The upper deck: thin, so its light is not marched."""
    angle = float(torch.deg2rad(torch.tensor(scene.cirrus_angle)))
    device = camera.up.device
    if scene.fine and scene.cirrus < 0.02:
        return None
    if scene.fine:
        textures = torch.stack([fine_streaks(scene.seed, s, angle, 8.0, device) for s in (20, 24)])  # [2, N, N]
    else:
        textures = torch.stack([streaks(generator, angle, 8.0) for _ in range(2)]).to(device)
    if scene.cirrus < 0.02:
        return None
    steep = _steep(camera.up)
    top = float(steep[0])
    stack = make_stack(textures, 5.0, scene.fov / camera.size, CURVE, top)
    dx, dz = (d.to(device)[:, None, None] for d in _drift(scene, top, frames, 0.5))
    turn = (torch.arange(frames, device=device) - (frames - 1) / 2) * (scene.evolution * 0.5 / 64)
    x = (camera.across[None, :] / steep[:, None])[None] + dx
    z = (1 / steep)[None, :, None] + dz + torch.zeros_like(x)
    density = _mixed(stack, x, z, steep, turn)
    width = (1.6**2 + 5 * lost_variance(stack, steep)[0]).sqrt()[:, None]
    alpha = _smooth((density + 0.1) / width) * scene.cirrus * 0.85
    return Deck(alpha, alpha, torch.ones_like(alpha))
