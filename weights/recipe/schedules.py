"""Mask schedules in float32, one rounding an operation, as the page's engine has them (src/sampling/schedules.ts)."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

F32 = np.float32


def cosine(x: np.float32) -> np.float32:
    """The cosine, correctly rounded; libraries differ in the last bit."""
    return F32(math.cos(float(x)))


SCHEDULES: dict[str, Callable[[np.float32], np.float32]] = {
    "cosine": lambda t: cosine(F32(math.pi / 2) * t),
    "linear": lambda t: F32(1) - t,
    "quadratic": lambda t: (F32(1) - t) * (F32(1) - t),
    "sqrt": lambda t: F32(1) - np.sqrt(t),
    "square": lambda t: F32(1) - t * t,
    "cube": lambda t: F32(1) - t * t * t,
    "quartic": lambda t: F32(1) - t * t * t * t,
    "cosine_plus": lambda t: (cosine(F32(math.pi) * t) + F32(1)) / F32(2),
    "convex": lambda t: (F32(1) - t) * (F32(1) - t) * (F32(1) - t),
}
CHOICE: dict[str, Callable[[float], float]] = {
    "linear": lambda t: 1 - t,
    "constant": lambda t: 1.0,
    "cosine": lambda t: math.cos(math.pi / 2 * t),
}


def progress(steps: int) -> list[float]:
    """The points t after each of the steps, the last one 1."""
    return [float(t) for t in np.linspace(0, 1, steps + 1)[1:]]


def ceiling(share: np.float32, total: int) -> int:
    return max(0, math.ceil(float(share * F32(total))))


def masked_count(schedule: str, t: float, total: int) -> int:
    """Tokens still masked at progress t, of `total`."""
    return ceiling(SCHEDULES[schedule](F32(t)), total)


def choice_factor(schedule: str, t: float) -> float:
    return CHOICE[schedule](t)
