"""What has to last through a clip: hills that stay, light of one course, one wind, colours that do not drift, no seams.

Rules, not networks: each is to be read beside its value on the renderer's clips. A clip is uint8 [T, H, W, 3].
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..measures import brightness, crest, hill_steadiness, one_way_light, overlap, unrelated_hills
from .labels import Array

PARTS = 8  # of a clip, for light and colours
BINS = 16  # of a histogram, per channel
STEADY = 0.5  # change of the wind, of its speed, below which it counts as steady
SEAM = 8  # frames looked at on either side of a seam


def light_course(clip: Array) -> float:
    """Share of all change of the mean brightness that goes the way of the whole, 1 for one course. Over PARTS parts."""
    level = np.array([part.mean() for part in np.array_split(brightness(clip), PARTS)])
    steps = np.diff(level)
    total = np.abs(steps).sum()
    return float(abs(steps.sum()) / total) if total > 1e-6 else 1.0


def shift_between(a: Array, b: Array) -> tuple[Array, float]:
    """By how many (rows, columns) [H, W] `b` lies further than `a`, by phase correlation, and how clear its peak is."""
    window = np.outer(np.hanning(a.shape[0] + 2)[1:-1], np.hanning(a.shape[1] + 2)[1:-1])
    fa, fb = (np.fft.rfft2((x - x.mean()) * window) for x in (a, b))
    cross = fb * fa.conj()
    # Whitened only in part: rows of smooth sky have next to nothing but rounding at high frequencies.
    peak = np.fft.irfft2(cross / np.sqrt(np.abs(cross) + 1e-9), s=a.shape)
    top = np.unravel_index(peak.argmax(), peak.shape)
    found = []
    for axis, at in enumerate(top):
        n = a.shape[axis]
        line = np.take(peak, [(at - 1) % n, at, (at + 1) % n], axis)
        left, middle, right = line[:, top[1]] if axis == 0 else line[top[0]]
        bend = left - 2 * middle + right
        part = float(0.5 * (left - right) / bend) if bend < 0 else 0.0
        found.append((at if at <= n // 2 else at - n) + part)
    return np.array(found), float(peak.max() / (peak.std() + 1e-12))


def motion(frames: Array, gap: int = 4) -> Array:
    """Mean motion of the sky's upper half, (rows, columns) in hundredths of the height a frame: the sum of the phase
    correlations of all pairs of frames that are `gap` apart, after what stays in place is taken off."""
    level = brightness(frames)
    sky = level[:, : level.shape[1] // 2]
    moving = sky - sky.mean(0)  # the still part: gradient of the sky, sun, stars
    gap = min(gap, len(frames) - 1)
    shifts = [shift_between(moving[t], moving[t + gap])[0] for t in range(len(frames) - gap)]
    result: Array = np.median(shifts, 0) / gap / level.shape[1] * 100
    return result


def wind_change(clip: Array) -> dict[str, float]:
    """Motion of the clouds in the first and last thirds: how far apart, beside how fast."""
    third = len(clip) // 3
    first, last = motion(clip[:third]), motion(clip[-third:])
    return {
        "wind_change": float(np.linalg.norm(first - last)),
        "wind_speed": float(np.linalg.norm(first + last) / 2),
    }


def histogram(frames: Array) -> Array:
    """Shares of the levels of each channel [3, BINS]; each row sums to 1."""
    levels = frames.reshape(-1, 3).astype(np.int64) * BINS // 256
    result: Array = np.stack([np.bincount(levels[:, c], minlength=BINS) for c in range(3)]) / len(levels)
    return result


def colour_distance(a: Array, b: Array) -> float:
    """Earth mover's distance of two histograms, as a share of the range, mean over the channels."""
    return float(np.abs(np.cumsum(a - b, 1)).sum(1).mean() / BINS)


def colour_drift(clip: Array) -> list[float]:
    """How far the colours of each of PARTS parts are from those of the first: 0, and PARTS - 1 numbers."""
    parts = [histogram(part) for part in np.array_split(clip, PARTS)]
    return [colour_distance(parts[0], part) for part in parts]


def describe_course(clips: Array) -> dict[str, Any]:
    """Means over clips [N, T, H, W, 3]."""
    rows = [np.array(clip) for clip in clips]
    winds = [wind_change(clip) for clip in rows]
    changes, speeds = ([wind[name] for wind in winds] for name in ("wind_change", "wind_speed"))
    drift = [colour_drift(clip) for clip in rows]
    return {
        "hills": float(np.mean([hill_steadiness(clip) for clip in rows])),
        "hills_of_unrelated_clips": unrelated_hills(rows),
        "one_way_light": float(np.mean([one_way_light(clip, PARTS) for clip in rows])),
        "light_course": float(np.mean([light_course(clip) for clip in rows])),
        "wind_change_median": float(np.median(changes)),
        "wind_speed_median": float(np.median(speeds)),
        "wind_steady": float(np.mean(np.array(changes) < STEADY * np.array(speeds))),
        "colour_drift": [float(x) for x in np.mean(drift, 0)],
    }


def around(clip: Array, frame: int) -> dict[str, float]:
    """The measures across the place between `frame` - 1 and `frame`: what a seam there would disturb."""
    before, after = clip[max(0, frame - SEAM) : frame], clip[frame : frame + SEAM]
    level = brightness(clip[max(0, frame - SEAM) : frame + SEAM])
    steps = np.abs(np.diff(level, axis=0)).mean((1, 2))  # change from each frame to the next
    at = len(before) - 1
    others = np.delete(steps, at)
    return {
        "hills": overlap(crest(before), crest(after), clip.shape[1]),
        "jump": float(steps[at] / max(float(np.median(others)), 1e-6)),
        "light_step": float(abs(level[len(before) :].mean() - level[: len(before)].mean())),
        "colour_step": colour_distance(histogram(before), histogram(after)),
        "wind_change": float(np.linalg.norm(motion(before, 2) - motion(after, 2))),
    }


def describe_seams(clips: Array, seams: Sequence[int]) -> dict[str, float]:
    """Mean over clips and seams; median for the wind, whose estimate from few frames has outliers."""
    rows = [around(np.array(clip), seam) for clip in clips for seam in seams]
    mean = {name: float(np.mean([row[name] for row in rows])) for name in rows[0]}
    return mean | {"wind_change": float(np.median([row["wind_change"] for row in rows]))}


def seamless_places(frames: int) -> tuple[int, ...]:
    """Where clips without a seam are looked at for comparison."""
    return tuple(frame for frame in (frames // 4, frames // 2, 3 * frames // 4) if SEAM <= frame <= frames - SEAM)
