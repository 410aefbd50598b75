"""What clips were told to be of, beside what they are: as the network reads it off them, and as their light goes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..measures import brightness
from ..traits import BRIGHTER, DARKER, SKY, WINDS, Scene
from .labels import Array, Labels, Target

READ = ("hour", "clouds", "land", "water", "moon")  # traits that the network reads labels of
ENDS = 8  # frames at either end of a clip that its light is compared of


def read_off(targets: Sequence[Target], outs: Sequence[Array]) -> list[Labels]:
    """The labels that a network's `outs` [N, outputs], one for each target, say of each clip."""
    rows: list[Labels] = [{} for _ in (outs[0] if outs else ())]
    for target, out in zip(targets, outs, strict=True):
        for row, found in zip(rows, out, strict=True):
            match target.kind:
                case "choice":
                    row[target.name] = target.classes[int(found.argmax())]
                case "flag":
                    row[target.name] = bool(found[0] > 0)
                case "angle":
                    row[target.name] = float(np.degrees(np.arctan2(found[1], found[0]))) % 360
                case "number":
                    row[target.name] = float(found[0]) * target.deviation + target.mean
    return rows


def goes_brighter(clip: Array) -> bool:
    level = brightness(clip)
    return bool(level[-ENDS:].mean() > level[:ENDS].mean())


def describe_told(
    targets: Sequence[Target], outs: Sequence[Array], scenes: Sequence[Scene], clips: Array
) -> dict[str, Any]:
    """By trait the share of clips of which the network reads what was told; `light`: of those told a sun that rises, or
    sets, near the horizon, the share that get brighter, or darker; `wind`: how far it is off, in degrees, with clouds.
    """
    rows, facts = read_off(targets, outs), {}
    for name in READ:
        told = [(scene[name], row) for scene, row in zip(scenes, rows, strict=True) if name in scene]
        try:
            right = [SKY[name][0](row) == value for value, row in told]
        except KeyError:  # the network reads no such label
            continue
        if right:
            facts[name] = {"right": float(np.mean(right)), "clips": len(right)}
    light = [
        goes_brighter(clip) == (scene["hour"] in BRIGHTER)
        for scene, clip in zip(scenes, clips, strict=True)
        if scene.get("hour") in (*BRIGHTER, *DARKER)
    ]
    if light:
        facts["light"] = {"right": float(np.mean(light)), "clips": len(light)}
    winds = [
        abs((row["wind_direction"] - WINDS[scene["wind"]] + 180) % 360 - 180)
        for scene, row in zip(scenes, rows, strict=True)
        if "wind" in scene and scene.get("clouds") != "clear" and "wind_direction" in row
    ]
    if winds:
        facts["wind"] = {"off": float(np.mean(winds)), "clips": len(winds)}
    return facts
