"""What the sky clips promise, on tiny pictures."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch

from recipe.sky.dataset import SPLITS, build, split_seeds
from recipe.sky.land import land_mask
from recipe.sky.render import render
from recipe.sky.scene import HORIZONS, Scene, draw_scene

SIZE, FRAMES = 32, 8
# Mean red, green, blue of 2 frames of 16 x 16 pixels of seeds 0, 1, 5, 42.
SKY_64_MEANS = (
    (112.252, 97.2637, 122.0),
    (129.6152, 98.8789, 129.7383),
    (195.3223, 203.5449, 207.3184),
    (46.1895, 81.7266, 119.0332),
)
torch.set_num_threads(1)


def find(hour: str, **fixed: object) -> Scene:
    """The first scene of that hour, with some parameters replaced."""
    scene = next(s for s in map(draw_scene, range(1000)) if s.hour == hour)
    return replace(scene, **fixed)  # type: ignore[arg-type]


def test_same_seed_gives_same_bytes() -> None:
    first, second = (render(draw_scene(7), FRAMES, SIZE) for _ in range(2))
    assert torch.equal(first, second)
    assert first.shape == (FRAMES, SIZE, SIZE, 3) and first.dtype == torch.uint8
    assert not torch.equal(first, render(draw_scene(8), FRAMES, SIZE))


@pytest.mark.parametrize("land", HORIZONS)
def test_hills_never_move(land: str) -> None:
    base = replace(find("day"), land=land, land_height=0.3, horizon_y=0.1)
    mask = land_mask(base, SIZE)
    assert float(mask[-1].min()) > 0 and float(mask[0].max()) == 0
    still = replace(base, cover="clear", cumulus=0.0, cirrus=0.0, stars=0)
    clip = render(still, FRAMES, SIZE).float()
    inside = mask == 1
    ground = clip[:, inside].mean(-1)  # [T, P]: one smooth change of light, no edge passing through
    assert float(ground.diff(dim=0).abs().max()) <= 3


def test_sky_64_scenes_are_what_they_were() -> None:
    labels = json.dumps([draw_scene(s).labels() for s in range(2000)])
    assert hashlib.sha256(labels.encode()).hexdigest()[:16] == "7f73db8cf68a9f0e"
    means = [render(draw_scene(s), 2, 16).float().mean((0, 1, 2)).tolist() for s in (0, 1, 5, 42)]
    assert np.allclose(means, SKY_64_MEANS, atol=0.02)


def test_splits_share_no_seed() -> None:
    spans = sorted(SPLITS.values())
    assert all(a[1] <= b[0] for a, b in pairwise(spans))
    with pytest.raises(ValueError, match="do not fit"):
        split_seeds("validation", 99_999, 2)


def test_light_goes_one_way() -> None:
    for seed in range(120):
        scene = draw_scene(seed)
        rise = scene.sun_elevation_last - scene.sun_elevation_first
        low, high = sorted((scene.sun_elevation_first, scene.sun_elevation_last))
        assert rise != 0 and low <= scene.sun_elevation <= high
    base = find("golden", cover="clear", cumulus=0.0, cirrus=0.0, moon=False, stars=0, sun_azimuth=150.0)
    base = replace(base, pole_azimuth=90.0, sun_elevation=-2.0, turn=14.0)
    level = render(base, FRAMES, SIZE).float()[:, :10].mean((1, 2, 3))
    steps = level.diff()
    assert bool((steps > -0.3).all() or (steps < 0.3).all())
    assert 15 < abs(float(level[-1] - level[0])) < 110


def test_clear_night_shows_stars() -> None:
    scene = find("night", cover="clear", cumulus=0.0, cirrus=0.0, moon=False, sun_elevation=-20.0, stars=40)
    with_stars = render(scene, 2, 64).float().mean(-1)[0]
    without = render(replace(scene, stars=0), 2, 64).float().mean(-1)[0]
    dots = with_stars - without
    peak = torch.nn.functional.max_pool2d(dots[None], 3, 1, 1)[0]
    assert int(((dots == peak) & (dots > 20)).sum()) >= 15


def test_no_flicker_between_frames() -> None:
    for seed in range(4):
        clip = render(draw_scene(seed), 64, SIZE).float()
        jerk = (clip[2:] - 2 * clip[1:-1] + clip[:-2]).abs().mean()
        assert float(jerk) < 1.0


def test_both_sizes_show_one_scene() -> None:
    small, large = (render(draw_scene(5), 2, size).float() for size in (64, 128))
    shrunk = torch.nn.functional.avg_pool2d(large.permute(0, 3, 1, 2), 2).permute(0, 2, 3, 1)
    assert float((small - shrunk).abs().mean()) < 6


def test_dataset_resumes(tmp_path: Path) -> None:
    build("test", 0, 3, tmp_path, 2, 16, 1)
    whole = np.load(tmp_path / "test.npy").copy()
    done = np.load(tmp_path / "test.done.npy", mmap_mode="r+")
    clips = np.load(tmp_path / "test.npy", mmap_mode="r+")
    done[1], clips[1] = 0, 0
    build("test", 0, 3, tmp_path, 2, 16, 1)
    assert np.array_equal(np.load(tmp_path / "test.npy"), whole) and whole.any((1, 2, 3, 4)).all()
    assert len((tmp_path / "test.jsonl").read_text().splitlines()) == 3
