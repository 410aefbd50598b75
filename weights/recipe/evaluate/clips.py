"""Clips on disk, as `npm run generate` writes them: FOLDER/clips.npy, uint8 [N, T, H, W, 3], and clips.json with how
they were made, how many are finished, and what each is of, where the model was told. A bare .npy is read, too. No
measures in here.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from .labels import Array


@dataclass(frozen=True)
class Clips:
    """Clips of one kind, and what is known of them."""

    name: str
    array: Array  # uint8 [N, T, H, W, 3]
    made: dict[str, Any]  # of clips.json; empty for a bare file
    scenes: tuple[dict[str, str], ...] = ()  # what each was told to be of (recipe.traits); empty where nothing was told

    def __len__(self) -> int:
        return len(self.array)

    @property
    def steps(self) -> int | None:
        options = self.made.get("options", {})
        return int(options["steps"]) if "steps" in options else None

    @property
    def seams(self) -> tuple[int, ...]:
        """Numbers of the frames that begin a continuation."""
        return tuple(int(frame) for frame in self.made.get("seams", ()))


def open_clips(path: Path, name: str | None = None, count: int | None = None) -> Clips:
    """A folder of `npm run generate`, or a .npy; the finished ones, `count` at most."""
    file, facts = (path / "clips.npy", path / "clips.json") if path.is_dir() else (path, None)
    array = np.load(file, mmap_mode="r")
    if array.ndim != 5 or array.shape[-1] != 3 or array.dtype != np.uint8:
        raise ValueError(f"{file}: clips are uint8 [N, T, H, W, 3], found {array.dtype} {array.shape}")
    made = json.loads(facts.read_text()) if facts else {}
    finished = int(made.get("finished", len(array)))
    if finished < 2:
        raise ValueError(f"{path}: {finished} clips are finished, two are the least that can be compared")
    count = min(finished, count or finished)
    scenes = tuple(made.pop("scenes", ()))
    return Clips(name or path.stem, array[:count], made, scenes[:count])


class ClipWriter:
    """Appends clips to a folder, and goes on with one that was begun with the same recipe."""

    def __init__(self, folder: Path, recipe: dict[str, Any], count: int, extent: tuple[int, int, int]):
        folder.mkdir(parents=True, exist_ok=True)
        self.facts, self.recipe = folder / "clips.json", json.loads(json.dumps(recipe))
        path, shape = folder / "clips.npy", (count, *extent, 3)
        self.finished = 0
        self.scenes: list[dict[str, str]] = []
        if self.facts.exists():
            found = json.loads(self.facts.read_text())
            self.finished = int(found.pop("finished"))
            found.pop("count")
            self.scenes = found.pop("scenes", [])
            if found != self.recipe:
                raise ValueError(f"{folder} holds clips that were made otherwise: {found}. Name another folder.")
        old = np.load(path)[: self.finished] if self.finished else None
        if old is not None and len(np.load(path, mmap_mode="r")) == count:
            self.array: Array = np.load(path, mmap_mode="r+")
        else:
            self.array = np.lib.format.open_memmap(path, mode="w+", dtype=np.uint8, shape=shape)
            if old is not None:
                self.array[: len(old)] = old[:count]
        self.count = count

    def write(self, clip: Array, scene: dict[str, str] | None = None) -> None:
        """`scene`: what the clip was told to be of; for all clips of a folder or for none."""
        self.array[self.finished] = clip
        self.finished += 1
        facts = self.recipe | {"count": self.count, "finished": self.finished}
        if scene is not None:
            self.scenes.append(scene)
            facts["scenes"] = self.scenes
        self.facts.write_text(json.dumps(facts, indent=1) + "\n")
