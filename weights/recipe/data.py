"""Clips for training: a memory-mapped uint8 array [N, T, H, W, 3], cut and mirrored at random.

A sky mirrored left to right, or played backwards, is a sky again; both double the data.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor


class Clips:
    def __init__(self, path: Path):
        self.array = np.load(path, mmap_mode="r")  # [N, T, H, W, 3]

    def __len__(self) -> int:
        return int(self.array.shape[0])

    @property
    def frames(self) -> int:
        return int(self.array.shape[1])

    def read(
        self,
        index: int,
        start: int = 0,
        frames: int | None = None,
        flip: bool = False,
        back: bool = False,
        window: tuple[slice, slice] = (slice(None), slice(None)),
    ) -> Tensor:
        """One clip as float32 [3, T, H, W] in [-0.5, 0.5]; `window`: which rows and columns of it."""
        stop = self.frames if frames is None else start + frames
        video = torch.from_numpy(np.array(self.array[index, start:stop, *window])).permute(3, 0, 1, 2)
        axes = ([1] if back else []) + ([3] if flip else [])
        return (video.flip(axes) if axes else video).float().div_(255).sub_(0.5)

    def batch(self, size: int, frames: int, random: np.random.Generator, crop: int = 0) -> Tensor:
        """Random cuts [B, 3, frames, H, W], channels last in memory; with `crop`, of that many pixels a side."""
        clips = [
            self.read(
                int(random.integers(len(self))),
                int(random.integers(self.frames - frames + 1)),
                frames,
                bool(random.integers(2)),
                bool(random.integers(2)),
                self._window(crop, random),
            )
            for _ in range(size)
        ]
        return torch.stack(clips).contiguous(memory_format=torch.channels_last_3d)

    def _window(self, crop: int, random: np.random.Generator) -> tuple[slice, slice]:
        """A square of `crop` pixels a side somewhere in the picture; all of it where crop is 0."""
        if not crop:
            return slice(None), slice(None)
        top, left = (int(random.integers(side - crop + 1)) for side in self.array.shape[2:4])
        return slice(top, top + crop), slice(left, left + crop)
