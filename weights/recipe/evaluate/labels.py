"""The renderer's labels as things that a network can learn to read off a clip. No pixels in here.

Labels come by name, one JSON object a clip. What a label is, is seen from its values: text is a choice, true or false a
flag, a name of ANGLES an angle, any other number a number. New labels need no change here, unless a mirrored or
reversed clip has another value of it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

Array = np.ndarray[Any, Any]
Labels = dict[str, Any]
Kind = Literal["number", "angle", "choice", "flag"]

# Not to be seen in a clip, or only by way of others that are read.
IGNORED = {
    "seed", "variety", "fov", "horizon_y", "pole_azimuth", "latitude", "turn", "sun_azimuth", "sun_elevation",
    "sun_radius", "turbidity", "moon_tilt", "night_hue", "softness", "puff", "cirrus_angle", "evolution", "land_hue",
}  # fmt: skip
ANGLES = {"wind_direction"}  # degrees, of 360
CHANGE = "_change"
DARK = -6.0  # degrees of the sun's elevation at which stars begin to be seen
SEEN = 0.1  # cover from which clouds show the wind


@dataclass(frozen=True)
class Target:
    """One label: how it is encoded, and what its chance level is made of."""

    name: str
    kind: Kind
    classes: tuple[str, ...] = ()  # choice
    mean: float = 0.0  # number
    deviation: float = 1.0  # number

    @property
    def outputs(self) -> int:
        """How many numbers the network gives for it."""
        return {"number": 1, "flag": 1, "angle": 2, "choice": len(self.classes)}[self.kind]

    def to_json(self) -> dict[str, Any]:
        return asdict(self) | {"classes": list(self.classes)}

    @staticmethod
    def from_json(data: dict[str, Any]) -> Target:
        return Target(**(data | {"classes": tuple(data["classes"])}))


def read_labels(paths: Sequence[Path], count: int | None = None) -> list[Labels]:
    """The lines of all files, one after the other; the first `count` of them."""
    rows = [json.loads(line) for path in paths for line in path.read_text().splitlines() if line]
    if count is not None and len(rows) < count:
        raise ValueError(f"labels: {count} clips need {count} lines, {', '.join(map(str, paths))} have {len(rows)}")
    return rows[:count]


def value_of(row: Labels, name: str) -> Any:
    """A label, or None; `x_change`, where it is none itself, is `x_last` less `x_first`: which way time runs."""
    if name not in row and name.endswith(CHANGE):
        first, last = (row.get(name.removesuffix(CHANGE) + end) for end in ("_first", "_last"))
        return None if first is None or last is None else last - first
    return row.get(name)


def choose_targets(rows: Sequence[Labels]) -> tuple[Target, ...]:
    """Every label of the first row that is not ignored and not the same everywhere, and the changes."""
    targets = []
    changes = [name.removesuffix("_first") + CHANGE for name in rows[0] if name.endswith("_first")]
    for name in (*rows[0], *changes):
        example = value_of(rows[0], name)
        values = [value_of(row, name) for row in rows if applies(name, row)]
        if name in IGNORED or len(set(values)) < 2:
            continue
        if isinstance(example, bool):
            targets.append(Target(name, "flag"))
        elif isinstance(example, str):
            targets.append(Target(name, "choice", tuple(sorted(set(values)))))
        elif name in ANGLES:
            targets.append(Target(name, "angle"))
        else:
            targets.append(Target(name, "number", (), float(np.mean(values)), float(np.std(values))))
    return tuple(targets)


def applies(name: str, row: Labels) -> bool:
    """Whether a label means something in this scene: where the moon is, only of a clip that has a moon."""
    owner = name.split("_")[0]
    if owner != name and isinstance(row.get(owner), bool):
        return bool(row[owner])
    if name == "stars":
        return min(row.get("sun_elevation_first", 0.0), row.get("sun_elevation_last", 0.0)) < DARK
    if owner == "wind":
        return max(row.get("cumulus", 1.0), row.get("cirrus", 0.0)) > SEEN
    return True


def transformed(row: Labels, mirrored: bool, reversed_: bool) -> Labels:
    """The labels of the clip that is mirrored left to right, or played backwards."""
    out = dict(row)
    if mirrored:
        out |= {name: 1 - value for name, value in row.items() if name.endswith("_x")}
        if "wind_direction" in row:
            out["wind_direction"] = (180 - row["wind_direction"]) % 360
    if reversed_:
        for name in row:
            if name.endswith("_first") and (last := name[: -len("first")] + "last") in row:
                out[name], out[last] = row[last], row[name]
        if "wind_direction" in row:
            out["wind_direction"] = (out["wind_direction"] + 180) % 360
    return out


def encode(rows: Sequence[Labels], targets: Sequence[Target]) -> tuple[Array, Array]:
    """-> values [N, K] (standardized number, degrees, number of the class, 0 or 1) and whether they apply [N, K]."""
    values = np.zeros((len(rows), len(targets)), np.float32)
    valid = np.zeros((len(rows), len(targets)), bool)
    for i, row in enumerate(rows):
        for k, target in enumerate(targets):
            value = value_of(row, target.name)
            if value is None or not applies(target.name, row):
                continue
            if target.kind == "choice":
                if value not in target.classes:
                    continue
                value = target.classes.index(value)
            elif target.kind == "number":
                value = (value - target.mean) / target.deviation
            values[i, k], valid[i, k] = float(value), True
    return values, valid


def read_off(targets: Sequence[Target], outs: Sequence[Array]) -> list[Labels]:
    """The labels that a network's `outs` [N, outputs], one for each target, say of each clip; undoes `encode`."""
    rows: list[Labels] = [{} for _ in (outs[0] if outs else ())]
    for target, out in zip(targets, outs, strict=True):
        for row, found in zip(rows, out, strict=True):
            match target.kind:
                case "choice":
                    row[target.name] = target.classes[int(found.argmax())]
                case "flag":
                    row[target.name] = bool(found[0] > 0)
                case "angle":
                    row[target.name] = float(angle_of(found))
                case "number":
                    row[target.name] = float(found[0]) * target.deviation + target.mean
    return rows


def angle_of(found: Array) -> Array:
    """Degrees of vectors [..., 2], from 0 up to 360."""
    result: Array = np.degrees(np.arctan2(found[..., 1], found[..., 0])) % 360
    return result


def apart(a: Array | float, b: Array | float) -> Array:
    """Degrees between two angles in degrees, from 0 to 180."""
    result: Array = np.abs((np.asarray(a) - b + 180) % 360 - 180)
    return result
