"""Periodic fractal noise and its filtered lookup.

A texture is filtered, exactly and by Fourier transform, with the footprint that a pixel has on a cloud deck:
wide across, wider still in depth, and both grow towards the horizon. The footprint depends on the ray's
steepness only, so a short stack of filtered copies (a mip pyramid along that one path) and one trilinear
lookup give an anisotropic, alias-free sample. What the filter took away is known and handed back as a
variance, so that a threshold can be widened instead of becoming hard.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

N = 256  # texels along a side in sky-64's scenes; everything below reads N off its input


def _frequencies(device: str | torch.device, n: int = N) -> tuple[Tensor, Tensor]:
    """Cycles per period: along depth [N, 1], across [1, N/2+1]."""
    return (torch.fft.fftfreq(n, 1 / n, device=device)[:, None], torch.fft.rfftfreq(n, 1 / n, device=device)[None])


def white(seed: int, stream: int, n: int, device: str | torch.device) -> Tensor:
    """Unit normal noise [N, N] from a hash of its place: the same on every device, without a generator to carry.

    Integers go through three rounds of multiply and xor-shift; 24 bits of each, two at a time, through Box-Muller.
    """
    x = torch.arange(1, n * n + 1, device=device, dtype=torch.int64)
    for multiplier, more in ((0x7FEB352D, seed), (0x46A7B6D5, stream * 0x9E3779B1), (0x2C1B3C6D, 0)):
        x = (x & 0xFFFFFFFF) * multiplier
        x = ((x ^ (x >> 16)) + more) & 0xFFFFFFFF
    x = x ^ (x >> 15)
    half = n * n // 2
    u = ((x & 0xFFFFFF).float() + 0.5) / 2**24
    radius, angle = (-2 * u[:half].log()).sqrt(), 6.2831853 * u[half:]
    return torch.cat([radius * angle.cos(), radius * angle.sin()]).view(n, n)


def _unit(x: Tensor) -> Tensor:
    return (x - x.mean()) / x.std()


def band(white: Tensor, centre: float, width: float = 0.55) -> Tensor:
    """White noise [N, N] -> unit noise around `centre` cycles per period."""
    kz, kx = _frequencies(white.device, white.shape[-1])
    k = (kz**2 + kx**2).sqrt().clamp_min(1e-3)
    return _unit(torch.fft.irfft2(torch.fft.rfft2(white) * torch.exp(-((k / centre).log() ** 2) / (2 * width**2))))


def puffs(generator: torch.Generator, cycles: float) -> Tensor:
    """Cumulus-like noise: one smooth large octave, rounded smaller lumps with creases between. [N, N]"""
    w = [torch.randn(N, N, generator=generator) for _ in range(5)]
    shape = band(w[0], cycles, 0.75) + 0.7 * band(w[1], cycles * 0.4, 0.5)
    out = shape
    for octave, amount in ((2, 0.55), (3, 0.36), (4, 0.22)):
        lump = 0.8 - band(w[octave], cycles * 1.9 ** (octave - 1) * 0.8, 0.4).abs()
        out = out + amount * lump * (1 + 0.3 * shape.clamp(-2, 2))
    return _unit(out)


def streaks(generator: torch.Generator, angle: float, cycles: float) -> Tensor:
    """Cirrus-like noise: fibres along `angle` (radians) that come in patches. [N, N]"""
    kz, kx = _frequencies("cpu")
    along = kx * torch.cos(torch.tensor(angle)) + kz * torch.sin(torch.tensor(angle))
    thwart = -kx * torch.sin(torch.tensor(angle)) + kz * torch.cos(torch.tensor(angle))
    k = ((along * 4.5) ** 2 + thwart**2 + (cycles * 0.5) ** 2).sqrt()
    white = torch.fft.rfft2(torch.randn(N, N, generator=generator))
    fibre = _unit(torch.fft.irfft2(white * k**-2.1))
    patch = band(torch.randn(N, N, generator=generator), cycles * 0.6, 0.5)
    return _unit(fibre + 0.75 * patch)


FINE = 512  # texels along a side in sky-128's scenes


def fine_puffs(seed: int, stream: int, cycles: float, device: str | torch.device) -> Tensor:
    """`puffs` with three more octaves, for pictures of 128 pixels. [FINE, FINE]"""
    shape = band(white(seed, stream, FINE, device), cycles, 0.75)
    shape = shape + 0.7 * band(white(seed, stream + 1, FINE, device), cycles * 0.4, 0.5)
    out, swell = shape, 1 + 0.3 * shape.clamp(-2, 2)
    for octave, amount in enumerate((0.62, 0.42, 0.30, 0.21, 0.14, 0.09)):
        lump = band(white(seed, stream + 2 + octave, FINE, device), cycles * 1.5 * 1.85**octave, 0.4).abs()
        out = out + amount * (0.8 - lump) * swell
    return _unit(out)


def fine_streaks(seed: int, stream: int, angle: float, cycles: float, device: str | torch.device) -> Tensor:
    """`streaks` with finer fibres that bend. [FINE, FINE]"""
    kz, kx = _frequencies(device, FINE)
    c, s = math.cos(angle), math.sin(angle)
    along, thwart = kx * c + kz * s, -kx * s + kz * c
    k = ((along * 4.0) ** 2 + thwart**2 + (cycles * 0.5) ** 2).sqrt()
    fibre = _unit(torch.fft.irfft2(torch.fft.rfft2(white(seed, stream, FINE, device)) * k**-1.75))
    patch = band(white(seed, stream + 1, FINE, device), cycles * 0.6, 0.5)
    return _unit(fibre + 0.75 * patch)


@dataclass(frozen=True)
class Stack:
    """Filtered copies of C textures. Level l belongs to ray steepness low * (high/low)**(l/(L-1))."""

    levels: Tensor  # [1, C, L, N+1, N+1], one texel of wrap-around
    lost: Tensor  # [C, L] variance that the filter took
    period: float  # deck heights
    low: float
    high: float


def make_stack(textures: Tensor, period: float, pixel: float, low: float, high: float, count: int = 8) -> Stack:
    """Textures [C, N, N] filtered for pixels of `pixel` tan units, between two steepnesses of deck."""
    kz, kx = _frequencies(textures.device, textures.shape[-1])
    spectrum = torch.fft.rfft2(textures)
    steep = low * (high / low) ** (torch.arange(count) / (count - 1))
    out, lost = [], []
    for e in steep.tolist():
        across, depth = 0.7 * pixel / e / period, 0.7 * pixel / e**2 / period  # sigma, in periods
        across = max(across, 0.5 * depth)  # else far clouds become streaks that all point at the horizon
        filtered = torch.fft.irfft2(spectrum * torch.exp(-19.74 * ((kx * across) ** 2 + (kz * depth) ** 2)))
        out.append(filtered)
        lost.append((1 - filtered.var((1, 2))).clamp_min(0))
    levels = F.pad(torch.stack(out, 1)[None], (0, 1, 0, 1, 0, 0), mode="circular")
    return Stack(levels.contiguous(), torch.stack(lost, 1), period, low, high)


def _level(stack: Stack, steep: Tensor) -> Tensor:
    """Steepness -> level coordinate 0..1."""
    return ((steep / stack.low).log() / torch.tensor(stack.high / stack.low).log().to(steep)).clamp(0, 1)


def lookup(stack: Stack, x: Tensor, z: Tensor, steep: Tensor) -> Tensor:
    """Places x, z (deck heights, [T, H, W]) on rows of steepness [H] -> [C, T, H, W]."""
    grid = torch.empty(*x.shape, 3, device=x.device)
    grid[..., 0] = torch.remainder(x / stack.period, 1.0) * 2 - 1
    grid[..., 1] = torch.remainder(z / stack.period, 1.0) * 2 - 1
    grid[..., 2] = _level(stack, steep)[None, :, None] * 2 - 1
    return F.grid_sample(stack.levels, grid[None], align_corners=True, padding_mode="border")[0]


def lost_variance(stack: Stack, steep: Tensor) -> Tensor:
    """Variance missing on rows of steepness [H] -> [C, H]."""
    at = _level(stack, steep) * (stack.lost.shape[1] - 1)
    i = at.floor().long().clamp_max(stack.lost.shape[1] - 2)
    f = at - i
    return stack.lost[:, i] * (1 - f) + stack.lost[:, i + 1] * f
