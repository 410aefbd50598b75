"""What a decoder keeps of a clip, beyond its error: fine detail, and steadiness over the borders of its time chunks.

A clip is uint8 [T, H, W, 3]. No models in here.
"""

from __future__ import annotations

import numpy as np

from ..measures import Array, brightness, edge_mask, fidelity


def fine_detail(clip: Array) -> Array:
    """Brightness less the mean of its 3 x 3 neighbourhood, [T, H, W]: what stars, crests and tree tops are made of."""
    level = brightness(clip)
    padded = np.pad(level, ((0, 0), (1, 1), (1, 1)), mode="edge")
    rows = padded[:, :-2] + padded[:, 1:-1] + padded[:, 2:]
    result: Array = level - (rows[:, :, :-2] + rows[:, :, 1:-1] + rows[:, :, 2:]) / 9
    return result


def sharpness(clip: Array, decoded: Array) -> dict[str, float]:
    """Of the fine detail on the original's edges: its energy over the original's (1 is as sharp; below, blurred), and
    its correlation with the original's (1 is the same detail; what is sharp and wrong has a low one)."""
    edges = edge_mask(clip)
    a, b = (fine_detail(x)[edges].astype(np.float64) for x in (clip, decoded))
    energy_a, energy_b = float((a**2).sum()), float((b**2).sum())
    return {
        "sharpness": energy_b / max(energy_a, 1e-12),
        "detail_match": float((a * b).sum()) / max((energy_a * energy_b) ** 0.5, 1e-12),
    }


def border_ratio(change: Array, chunk: int) -> float:
    """change [T-1], from each frame to the next: mean over borders of chunks, over the mean elsewhere."""
    border = np.arange(1, len(change) + 1) % chunk == 0
    if chunk < 2 or not border.any():
        return 1.0
    return float(change[border].mean() / max(change[~border].mean(), 1e-12))


def profile(change: Array, chunk: int) -> Array:
    """change [T-1] -> [chunk]: the mean at each place in a chunk, over the mean of all; the first is the border."""
    places = np.arange(1, len(change) + 1) % chunk
    means = np.array([change[places == k].mean() for k in range(chunk) if (places == k).any()])
    result: Array = means / max(float(change.mean()), 1e-12)
    return result


def flicker(clip: Array, decoded: Array, chunk: int) -> dict[str, float]:
    """How much more changes at borders of `chunk` frames (one latent frame) than elsewhere: in the decoded clip over
    the same in the original (1: no seam), and in the error alone, which has no motion of its own (1: no seam). Pulse:
    most by which change at one place in a chunk, of the clip's mean, is off the original's (0: motion is as even)."""
    change_a, change_b = (np.abs(np.diff(x.astype(np.float32), axis=0)).mean((1, 2, 3)) for x in (clip, decoded))
    error = decoded.astype(np.float32) - clip.astype(np.float32)
    change_e = np.abs(np.diff(error, axis=0)).mean((1, 2, 3))
    uneven = np.abs(profile(change_b, chunk) / np.maximum(profile(change_a, chunk), 1e-12) - 1)
    return {
        "pulse": float(uneven.max()),
        "flicker": border_ratio(change_b, chunk) / max(border_ratio(change_a, chunk), 1e-12),
        "flicker_of_error": border_ratio(change_e, chunk),
    }


def describe(clip: Array, decoded: Array, chunk: int) -> dict[str, float]:
    """All of it, with the PSNR of recipe.measures."""
    return fidelity(clip, decoded) | sharpness(clip, decoded) | flicker(clip, decoded, chunk)
