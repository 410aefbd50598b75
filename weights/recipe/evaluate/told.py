"""What clips were told to be of, beside what they are: as the network reads it off them, and as their light goes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..measures import brightness
from ..traits import BRIGHTER, DARKER, SKY, WINDS, Scene
from .labels import Array, Target, apart, read_off

READ = ("hour", "clouds", "land", "water", "moon")  # traits that the network reads labels of
ENDS = 8  # frames at either end of a clip that its light is compared of


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
        float(apart(row["wind_direction"], WINDS[scene["wind"]]))
        for scene, row in zip(scenes, rows, strict=True)
        if "wind" in scene and scene.get("clouds") != "clear" and "wind_direction" in row
    ]
    if winds:
        facts["wind"] = {"off": float(np.mean(winds)), "clips": len(winds)}
    return facts
