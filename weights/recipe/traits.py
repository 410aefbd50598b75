"""What a clip is of, in words that a transformer is told before it begins: the hour, the clouds, the wind.

A trait has a few values; a clip has one of each trait's. Tokens that are drawn together do not know of one another, so
that what all of them must agree on (day or night, which way the clouds go) is better known to all of them beforehand. A
scene that nobody chose is drawn by the shares that values have among the training clips: of the first trait outright,
of every other trait given the first.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from .evaluate.labels import Labels

Scene = dict[str, str]  # a value for every trait


@dataclass(frozen=True)
class Trait:
    name: str
    values: tuple[str, ...]
    shares: tuple[tuple[float, ...], ...]  # one row for each value of the first trait; the first trait has one row
    offered: bool = True  # for people to choose; where a model follows it too little it is drawn and told all the same
    course: bool = False  # says how a clip begins and how it ends: told as two tokens, in its first and last frames

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> Trait:
        shares = tuple(tuple(row) for row in data["shares"])
        flags = {name: data[name] for name in ("offered", "course") if name in data}
        return Trait(data["name"], tuple(data["values"]), shares, **flags)

    def to_json(self) -> dict[str, Any]:
        """As a manifest has it."""
        facts = {"name": self.name, "values": list(self.values), "shares": [list(row) for row in self.shares]}
        return facts | ({} if self.offered else {"offered": False}) | ({"course": True} if self.course else {})

    @property
    def rows(self) -> int:
        """Of the trait table: one a value, or two where a value is told as two tokens, all first ones ahead."""
        return len(self.values) * (2 if self.course else 1)


# Degrees of the sun's elevation in the middle of a clip from which on an hour is that of the rising, or setting, sun.
SKY_HOURS = ((15.0, "forenoon", "afternoon"), (4.0, "morning", "evening"), (-3.0, "sunrise", "sunset"),
             (-9.0, "dawn", "dusk"), (-math.inf, "night", "night"))  # fmt: skip


def hour_of(row: Labels) -> str:
    first, last = row["sun_elevation_first"], row["sun_elevation_last"]
    return next(names[last < first] for least, *names in SKY_HOURS if (first + last) / 2 >= least)


def part_of(row: Labels, first: float, last: float) -> Labels:
    """Of a part of the clip, from one share of its length to another: what the sun does in it."""
    begin, end = row["sun_elevation_first"], row["sun_elevation_last"]
    at = {"_first": begin + first * (end - begin), "_last": begin + last * (end - begin)}
    return row | {f"sun_elevation{name}": value for name, value in at.items()}


def horizon_of(row: Labels) -> str:
    """How much of the picture is land."""
    height = row["horizon_y"]
    return "low" if height < 0.1 else "middle" if height < 0.17 else "high"


def wind_of(row: Labels) -> str:
    """Where clouds go in the picture; see sky/clouds.py for the axes."""
    angle = math.radians(row["wind_direction"])
    across, depth = math.cos(angle), math.sin(angle)
    if abs(across) > abs(depth):
        return "left" if across > 0 else "right"
    return "nearer" if depth > 0 else "away"


CALM = {"sky-64": 0.25, "sky-128": 0.186}  # medians of the wind's speed


def pace_of(row: Labels) -> str:
    return "calm" if row["wind_speed"] < CALM[row.get("variety", "sky-64")] else "brisk"


def yes(value: object) -> str:
    return "yes" if value else "no"


# How each trait is read off the renderer's labels, and its values in the order in which people are shown them.
SKY = {
    "hour": (
        hour_of,
        ("dawn", "sunrise", "morning", "forenoon", "afternoon", "evening", "sunset", "dusk", "night"),
    ),
    "clouds": (lambda row: row["cover"], ("clear", "few", "scattered", "broken", "overcast")),
    "wind": (wind_of, ("left", "right", "nearer", "away")),
    "pace": (pace_of, ("calm", "brisk")),
    "land": (lambda row: row["land"], ("plain", "rolling", "ridges", "jagged", "forest")),
    "horizon": (horizon_of, ("low", "middle", "high")),
    "water": (lambda row: yes(row.get("water")), ("no", "yes")),
    "fog": (lambda row: yes(row.get("fog")), ("no", "yes")),
    "town": (lambda row: yes(row.get("lights")), ("no", "yes")),
    "moon": (lambda row: yes(row.get("moon")), ("no", "yes")),
}


COURSES = {"hour"}


def scene_of(row: Labels) -> Scene:
    """Of the renderer's labels of a clip."""
    return {name: read(row) for name, (read, _) in SKY.items()}


# The middle of each wind's quarter, in degrees of its label; hours in which the light changes to be seen.
WINDS = {"left": 0.0, "nearer": 90.0, "right": 180.0, "away": 270.0}
BRIGHTER, DARKER = ("dawn", "sunrise"), ("sunset", "dusk")


def traits_of(scenes: Sequence[Scene]) -> tuple[Trait, ...]:
    """The traits that tell these clips apart, with the shares that their values have among them; every value has been
    seen once more than it was, so that none is impossible."""
    telling = {name: values for name, (_, values) in SKY.items() if len({scene[name] for scene in scenes}) > 1}
    first, first_values = next(iter(telling.items()))
    found = []
    for name, values in telling.items():
        groups = [None] if name == first else list(first_values)
        rows = []
        for group in groups:
            of_group = [s[name] for s in scenes if group is None or s[first] == group]
            counts = np.array([1 + of_group.count(value) for value in values], dtype=np.float64)
            rows.append(tuple(round(float(x), 4) for x in counts / counts.sum()))
        found.append(Trait(name, values, tuple(rows), course=name in COURSES))
    return tuple(found)


def check(traits: Sequence[Trait], chosen: Mapping[str, str]) -> None:
    """Raises ValueError for a trait, or a value of one, that there is none of."""
    values = {trait.name: trait.values for trait in traits}
    for name, value in chosen.items():
        if name not in values:
            raise ValueError(f"scene: there are {', '.join(values) or 'no traits that it is told'}, not {name!r}.")
        if value not in values[name]:
            raise ValueError(f"{name}: there are {', '.join(values[name])}, not {value!r}.")


def places_of(traits: Sequence[Trait]) -> list[str]:
    """Of what is told, token by token: "" for none, "first" and "last" for a course's two, in those frames."""
    return [place for trait in traits for place in (("first", "last") if trait.course else ("",))]


def rows_of(traits: Sequence[Trait], scene: Scene) -> list[int]:
    """Of the trait table, which has the rows of each trait, in their order: one for every token that is told, -1 for
    what the scene leaves open."""
    rows, before = [], 0
    for trait in traits:
        tokens = 2 if trait.course else 1
        row = trait.values.index(scene[trait.name]) if trait.name in scene else None
        rows += [-1 if row is None else before + row + i * len(trait.values) for i in range(tokens)]
        before += trait.rows
    return rows


def all_rows(traits: Sequence[Trait], scenes: Sequence[Scene]) -> Tensor:
    """int64 [N, tokens told]."""
    return torch.tensor([rows_of(traits, scene) for scene in scenes]).view(len(scenes), len(places_of(traits)))


def draw_scene(traits: Sequence[Trait], chosen: Mapping[str, str], random: np.random.Generator) -> Scene:
    """What is not chosen, by its shares given what is. Draws one number a trait, chosen or not.

    Raises ValueError for a trait or a value that there is none of.
    """
    check(traits, chosen)
    first = traits[0]
    weights = np.array(first.shares[0])
    for trait in traits[1:]:
        if trait.name in chosen:
            place = trait.values.index(chosen[trait.name])
            weights = weights * [row[place] for row in trait.shares]
    scene: Scene = {}
    for trait in traits:
        odds = weights if trait is first else np.array(trait.shares[first.values.index(scene[first.name])])
        drawn = int(np.searchsorted(odds.cumsum(), random.random() * odds.sum(), side="right"))
        scene[trait.name] = chosen.get(trait.name, trait.values[min(drawn, len(odds) - 1)])
    return scene


def parse_scene(text: str) -> Scene:
    """`hour-night.wind-left`, as the page's address has it -> {hour: night, wind: left}."""
    return dict(tuple(word.split("-", 1)) for word in text.split(".") if word)  # type: ignore[misc]


def scene_of_seed(traits: Sequence[Trait], chosen: Mapping[str, str], seed: int) -> Scene | None:
    """What a sampler tells the model of the clip of a seed; None for a model that is told nothing."""
    if not traits and not chosen:
        return None
    return draw_scene(traits, chosen, np.random.default_rng([seed, 0x5CE4E]))
