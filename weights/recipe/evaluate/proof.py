"""Shows that the distances measure something: clips of the renderer, damaged, against other clips of the renderer."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .damage import DAMAGES, STRENGTHS, rising
from .distance import compare
from .labels import Array, Labels

Features = Callable[[Array], Array]


def prove(
    clips: Array, whole: Array, labels: Sequence[Labels] | None, features: Features, count: int
) -> dict[str, Any]:
    """For each damage a row for each strength; strength 0 is the floor. `count` clips are damaged, and compared with
    those after them; `whole`: features of the clips as they are. Clips played backwards are compared among those in
    which the sun rises, if labels tell them.
    """
    report: dict[str, Any] = {}
    for name, damage in DAMAGES.items():
        numbers = np.arange(len(clips))
        if name == "played backwards":
            numbers = rising((labels or [])[: len(clips)])
        if len(numbers) < 16:
            continue
        size = min(count, len(numbers) // 2)
        chosen, real = np.array(clips[numbers[:size]]), whole[numbers[size:]]
        report[name] = [
            {"strength": strength, "clips": size, **compare(features(damage(chosen, strength)), real)}
            for strength in STRENGTHS
        ]
    return report


def falls(rows: Sequence[dict[str, float]], slack: float = 0.0) -> list[float]:
    """Strengths at which the distance is smaller than at the strength before by more than a share `slack` of it."""
    return [b["strength"] for a, b in itertools.pairwise(rows) if b["frechet"] < a["frechet"] * (1 - slack)]
