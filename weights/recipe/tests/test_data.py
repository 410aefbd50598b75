"""Clips for training: cuts are parts of the clips, mirrored or reversed as a whole."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from recipe.data import Clips


@pytest.fixture
def clips(tmp_path: Path) -> Clips:
    random = np.random.default_rng(0)
    np.save(tmp_path / "clips.npy", random.integers(256, size=(2, 6, 8, 10, 3), dtype=np.uint8))
    return Clips(tmp_path / "clips.npy")


def test_a_clip_is_read_channels_first_and_centred(clips: Clips) -> None:
    video = clips.read(1)
    assert video.shape == (3, 6, 8, 10)
    assert float(video[2, 3, 4, 5]) == pytest.approx(int(clips.array[1, 3, 4, 5, 2]) / 255 - 0.5)
    assert torch.equal(clips.read(1, flip=True, back=True), video.flip([1, 3]))
    assert torch.equal(clips.read(1, 2, 3, window=(slice(1, 5), slice(4, 8))), video[:, 2:5, 1:5, 4:8])


def test_cuts_come_from_everywhere_and_fit(clips: Clips) -> None:
    video = clips.batch(64, 4, np.random.default_rng(1), crop=4)
    assert video.shape == (64, 3, 4, 4, 4)
    whole = {round(v, 5) for v in clips.read(0).flatten().tolist() + clips.read(1).flatten().tolist()}
    assert {round(v, 5) for v in video.flatten().tolist()} <= whole
    assert clips.batch(2, 6, np.random.default_rng(1)).shape == (2, 3, 6, 8, 10)
