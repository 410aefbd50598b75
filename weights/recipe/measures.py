"""What can be measured of a clip: sharpness, hour, hills that stay, light that goes one way. No models in here.

A clip is uint8 [T, H, W, 3]. Rules that have no truth to be checked against in a generated clip (hour, crest, light)
are always to be read beside their values on rendered clips, and the crest's beside its value on unrelated pairs.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
HOURS = ("night", "dusk or dawn", "day")
LUMA = np.array([0.299, 0.587, 0.114], np.float32)
ENDS = 8  # frames averaged at either end of a clip, to find the crest
SPAN = 3  # rows above and below a crest that are compared
LIGHT_TOLERANCE = 0.01  # a step back of the mean brightness, of a range of 1, that clouds alone make


def brightness(clip: Array) -> Array:
    """[..., H, W, 3] uint8 -> [..., H, W] in [0, 1]."""
    result: Array = clip.astype(np.float32) @ LUMA / 255
    return result


def decibels(squared_error: float) -> float:
    return float(-10 * np.log10(max(squared_error, 1e-10)))


def edge_mask(clip: Array, steepest: float = 0.1) -> Array:
    """The tenth of the pixels where brightness changes most between rows or columns, [T, H, W]."""
    level = brightness(clip)
    rows, columns = np.abs(np.gradient(level, axis=1)), np.abs(np.gradient(level, axis=2))
    slope = np.maximum(rows, columns)
    result: Array = slope >= np.quantile(slope, 1 - steepest)
    return result


def fidelity(clip: Array, decoded: Array) -> dict[str, float]:
    """PSNR in dB over all pixels, and over the edges of the original."""
    error = ((clip.astype(np.float32) - decoded.astype(np.float32)) / 255) ** 2
    return {"psnr": decibels(error.mean()), "psnr_edges": decibels(error[edge_mask(clip)].mean())}


def hour(clip: Array) -> str:
    """Night, dusk or dawn, or day, by the first frame's brightness and warmth (red less blue); right for 92%."""
    frame = clip[0].astype(np.float32) / 255
    if float((frame @ LUMA).mean()) < 0.42:
        return "night"
    return "dusk or dawn" if float((frame[..., 0] - frame[..., 2]).mean()) > -0.07 else "day"


def shares(labels: Sequence[str]) -> dict[str, float]:
    counts = Counter(labels)
    return {name: counts[name] / len(labels) for name in HOURS}


def histogram_distance(a: dict[str, float], b: dict[str, float]) -> float:
    """Total variation: 0 for equal shares, 1 for disjoint ones."""
    return sum(abs(a[name] - b[name]) for name in HOURS) / 2


def crest(frames: Array) -> Array:
    """Row of the skyline in each column, [W]: the line along which the picture darkens most from above to below.

    Sought in the lower 40% by dynamic programming, so that a neighbouring column's crest is at most 3 rows away.
    """
    level = brightness(frames).mean(0)  # [H, W]
    height, width = level.shape
    top = int(height * 0.6)
    drop = np.stack(
        [level[y - SPAN : y].mean(0) - level[y : min(height, y + SPAN)].mean(0) for y in range(top, height - 1)]
    )  # [rows, W]
    rows, reach, best = len(drop), 3, drop.copy()
    came = np.zeros((rows, width), np.int64)
    for x in range(1, width):
        padded = np.pad(best[:, x - 1], reach, constant_values=-np.inf)
        moves = np.stack([padded[d : d + rows] - 0.01 * abs(d - reach) for d in range(2 * reach + 1)])
        came[:, x] = moves.argmax(0) - reach
        best[:, x] += moves.max(0)
    line = np.zeros(width, np.int64)
    line[-1] = best[:, -1].argmax()
    for x in range(width - 1, 0, -1):
        line[x - 1] = line[x] + came[line[x], x]
    return line + top


def overlap(first: Array, second: Array, height: int) -> float:
    """Intersection over union of what lies below two skylines."""
    below = np.arange(height)[:, None]
    a, b = below >= first, below >= second
    return float((a & b).sum() / (a | b).sum())


def hill_steadiness(clip: Array) -> float:
    """Overlap of the land in the first and in the last frames."""
    return overlap(crest(clip[:ENDS]), crest(clip[-ENDS:]), clip.shape[1])


def unrelated_hills(clips: Sequence[Array]) -> float:
    """The same for first and last frames of different clips: what no steadiness at all would give."""
    lines = [(crest(clip[:ENDS]), crest(clip[-ENDS:])) for clip in clips]
    pairs = [overlap(a[0], b[1], clips[0].shape[1]) for a, b in itertools.pairwise(lines)]
    return float(np.mean(pairs)) if pairs else 0.0


def one_way_light(clip: Array, parts: int = 8) -> bool:
    """Whether the mean brightness of `parts` equal parts rises or falls throughout, up to what clouds do."""
    level = brightness(clip).mean((1, 2)).reshape(parts, -1).mean(1)
    steps = np.diff(level) * (1 if level[-1] >= level[0] else -1)
    return bool((steps > -LIGHT_TOLERANCE).all())


def describe(clips: Sequence[Array]) -> dict[str, Any]:
    """The measures that need no original."""
    first = [float(brightness(clip[:1]).mean()) for clip in clips]
    steady = [hill_steadiness(clip) for clip in clips]
    return {
        "clips": len(clips),
        "hours": shares([hour(clip) for clip in clips]),
        "brightness_mean": float(np.mean(first)),
        "brightness_std": float(np.std(first)),
        "hill_steadiness_mean": float(np.mean(steady)),
        "hill_steadiness_median": float(np.median(steady)),
        "hill_steadiness_of_unrelated_clips": unrelated_hills(clips),
        "one_way_light": float(np.mean([one_way_light(clip) for clip in clips])),
    }
