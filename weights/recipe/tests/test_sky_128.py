"""What sky-128's scenes add to sky-64's: water, fog, a town, full decks; on tiny pictures."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from recipe.sky.camera import make_camera, project
from recipe.sky.celestial import stars
from recipe.sky.dataset import build
from recipe.sky.fog import bank
from recipe.sky.land import crests, land_mask
from recipe.sky.noise import white
from recipe.sky.render import render
from recipe.sky.scene import Scene, draw_scene, unit

SIZE, FRAMES = 32, 8
# Mean red, green, blue of 2 frames of 32 x 32 pixels of the scenes in `test_scenes_stay_what_they_are`.
MEANS = (
    (149.3726, 126.646, 144.3188),
    (162.7632, 156.0078, 153.3359),
    (66.2461, 72.9043, 98.1694),
    (121.4175, 107.7964, 112.6641),
    (152.8574, 140.1548, 147.1948),
)
torch.set_num_threads(1)


def scene(seed: int) -> Scene:
    return draw_scene(seed, "sky-128")


def find(hour: str, **fixed: object) -> Scene:
    """The first scene of that hour, with nothing of the new in it but what is asked for."""
    plain = {"water": False, "fog": 0.0, "lights": 0, "relief": 0.0, "moon": False}
    found = next(s for s in map(scene, range(1000)) if s.hour == hour)
    return replace(found, **(plain | fixed))  # type: ignore[arg-type]


CLEAR = {"cover": "clear", "cumulus": 0.0, "cirrus": 0.0, "stars": 0}
WATER = {"water": True, "horizon_y": 0.35, "land": "plain", "land_height": 0.05, "ripple": 0.02}


def test_scenes_stay_what_they_are() -> None:
    labels = json.dumps([scene(s).labels() for s in range(500)])
    assert hashlib.sha256(labels.encode()).hexdigest()[:16] == "e14ea5590bfd4135"
    means = [render(scene(s), 2, SIZE).float().mean((0, 1, 2)).tolist() for s in (1, 3, 4, 18, 301)]
    assert np.allclose(means, MEANS, atol=0.05)


def test_labels_tell_the_new_and_only_in_the_new() -> None:
    new = {"variety", "relief", "water", "ripple", "fog", "fog_height", "lights", "lights_warm", "lights_glow"}
    assert set(scene(3).labels()) - set(draw_scene(3).labels()) == new
    with pytest.raises(ValueError, match="sky-64"):
        draw_scene(0, "sky-32")


def test_what_is_rare_stays_rare() -> None:
    scenes = [scene(s) for s in range(1500)]
    dusk = [s for s in scenes if min(s.sun_elevation_first, s.sun_elevation_last) < -2.5]

    def share(of: list[Scene], name: str) -> float:
        return float(np.mean([bool(getattr(s, name)) for s in of]))

    assert 0.17 < share(scenes, "water") < 0.23 and 0.12 < share(scenes, "fog") < 0.18
    assert 0.06 < share(scenes, "relief") < 0.10 and 0.30 < share(dusk, "lights") < 0.40
    assert not any(s.lights for s in scenes if s not in dusk)
    assert all((s.cover == "overcast") == (s.relief > 0) for s in scenes)


def lit(points: Scene) -> Tensor:
    """What the town adds to the clip, before it is seen through anything: [T, H, W]."""
    without = render(replace(points, lights=0), FRAMES, 64).float()
    return (render(points, FRAMES, 64).float() - without).mean(-1)


def test_a_town_wakes_one_by_one_and_stays_in_its_place() -> None:
    base = find("golden", **CLEAR, land="rolling", land_height=0.3, horizon_y=0.1, lights=40, lights_warm=0.7)
    base = replace(base, sun_azimuth=150.0, pole_azimuth=90.0, sun_elevation=-3.5, turn=14.0)
    more = lit(base)
    if base.sun_elevation_first < base.sun_elevation_last:
        more = more.flip(0)
    dots = (more > 12).flatten(1)  # [T, H*W]
    counts = dots.sum(1)
    assert counts.sort().values.tolist() in (counts.tolist(), counts.flip(0).tolist())  # only on, or only off
    assert int(counts.min()) == 0 and int(counts.max()) >= 8
    assert len(counts.unique()) >= 4  # not all at once
    final = dots[int(counts.argmax())]
    assert bool((dots <= final).all())  # none where in the end there is none: they do not move
    assert int(more[:, :44].amax() > 12) == 0  # at the foot of the hills, not in the sky


def test_lights_do_not_flicker() -> None:
    base = find("night", **CLEAR, land="rolling", land_height=0.3, horizon_y=0.1, lights=40, lights_warm=0.7)
    more = lit(replace(base, sun_elevation=-18.0, turn=1.0))
    bright = more[0] > 12
    assert int(bright.sum()) >= 8
    assert float(more[:, bright].diff(dim=0).abs().max()) <= 2


def test_water_mirrors_the_sky_and_leaves_the_hills_alone() -> None:
    base = find("day", **CLEAR, **WATER)
    base = replace(base, sun_azimuth=150.0, sun_elevation=30.0)
    wet, dry = (render(replace(base, water=w), 2, 64).float()[0] for w in (True, False))
    shore = round(64 * (1 - base.horizon_y))
    assert torch.equal(wet[: shore - 3], dry[: shore - 3])
    water = wet[shore + 2 :]
    assert bool((water[..., 2] > water[..., 0]).all())  # blue under a blue sky, where the land was green or brown
    red = render(replace(base, hour="golden", sun_elevation=-2.0, sun_azimuth=10.0), 2, 64).float()[0, shore + 2 :]
    assert float((red[..., 0] / red[..., 2]).mean()) > 1.3 * float((water[..., 0] / water[..., 2]).mean())


def test_the_sun_glitters_below_itself() -> None:
    for azimuth in (-12.0, 12.0):
        base = find("golden", **CLEAR, **WATER, sun_azimuth=azimuth, sun_elevation=7.0, turn=0.5)
        clip = render(base, 2, 64).float()[0]
        columns = clip[round(64 * 0.65) + 4 :].mean((0, 2))
        at = project(base, unit(azimuth, 7.0), 64)[0]
        peak = torch.nn.functional.avg_pool1d(columns[None, None], 5, 1, 2)[0, 0].argmax()
        assert abs(float(peak) - float(at)) < 6


def test_hills_stand_still_above_the_water() -> None:
    base = find("day", **CLEAR, **(WATER | {"land": "jagged", "land_height": 0.3}))
    mask = land_mask(base, SIZE)
    assert float(mask[-1].max()) == 0 and int((mask == 1).sum()) > 30
    ground = render(base, FRAMES, SIZE).float()[:, mask == 1].mean(-1)
    assert float(ground.diff(dim=0).abs().max()) <= 3


def test_fog_drifts_with_the_wind_at_one_speed() -> None:
    base = find("day", fog=0.8, fog_height=0.2, wind_speed=0.4)
    camera = make_camera(base, 64, "cpu")

    def shift(a: Tensor, b: Tensor) -> int:
        found = [float((a[20:44] * b[20 + d : 44 + d]).sum() / b[20 + d : 44 + d].norm()) for d in range(-16, 17)]
        return int(np.argmax(found)) - 16

    for direction, sign in ((0.0, 1), (180.0, -1)):
        alpha = bank(replace(base, wind_direction=direction), camera, 129, 0.3, 0, False)
        line = alpha[:, 20:44].sum(1)  # [T, W]
        line = line - line.mean(1, keepdim=True)
        steps = [shift(line[t], line[t + 32]) for t in (0, 32, 64, 96)]
        assert all(3 <= sign * step <= 9 for step in steps)  # 0.4 * 0.45 pixels a frame, 32 frames: 5.8
        assert float(alpha.min()) >= 0 and float(alpha.max()) <= 1


def test_a_full_deck_has_relief_and_no_hole() -> None:
    base = find("day", relief=0.8, cover="overcast", cumulus=1.0, cirrus=0.0, sun_elevation=35.0, sun_azimuth=0.0)
    sky = render(base, 2, 64).float()[0, :40]
    assert float((sky.amax(-1) - sky.amin(-1)).max()) < 70  # grey: no blue comes through, no disc of the sun
    assert float(sky.mean(-1).std()) > 5


def test_stars_are_points_at_128() -> None:
    base = find("night", stars=60)
    dots = stars(base, 2, 128, "cpu")[0].mean(-1)
    peak = torch.nn.functional.max_pool2d(dots[None], 5, 1, 2)[0]
    at = ((dots == peak) & (dots > 0.1) & (dots < 0.6)).nonzero()
    at = at[((at > 4) & (at < 123)).all(1)]
    assert len(at) >= 15
    widths = []
    for y, x in at.tolist():
        box = dots[y - 2 : y + 3, x - 2 : x + 3]
        widths.append(float((box.sum() / box.max() / 6.2832).sqrt()) * 2.355)  # full width at half maximum, pixels
    assert 1.2 < float(np.median(widths)) < 2.2


def test_white_noise_is_white() -> None:
    a, b, c = white(5, 0, 256, "cpu"), white(5, 1, 256, "cpu"), white(6, 0, 256, "cpu")
    assert torch.equal(a, white(5, 0, 256, "cpu"))
    for x in (a, b, c):
        assert abs(float(x.mean())) < 0.02 and abs(float(x.std()) - 1) < 0.02
        spectrum = torch.fft.rfft2(x).abs() ** 2 / 256**2
        assert 0.9 < float(spectrum[:64, :64].mean()) < 1.1 and float(spectrum.max()) < 20
    for x, y in ((a, b), (a, c), (b, c), (a, a.roll(1, 0)), (a, a.roll(1, 1)), (a, a.roll(128, 0))):
        assert abs(float((x * y).mean())) < 0.02


def test_long_clips_do_not_flicker() -> None:
    for seed in (1, 18, 45, 301):  # water, full deck and town, fog and water and town
        clip = render(scene(seed), 128, SIZE).float()
        jerk = (clip[2:] - 2 * clip[1:-1] + clip[:-2]).abs().mean((1, 2, 3))
        assert float(jerk.mean()) < 1.0 and float(jerk.max()) < 2.0


def test_crests_are_finer_but_the_same_land() -> None:
    base = find("day", land="ridges", land_height=0.25)
    x = (np.arange(512) + 0.5) / 512
    for (fine, far), (coarse, same) in zip(crests(base, x), crests(replace(base, variety="sky-64"), x), strict=True):
        assert far == same and 0 < np.abs(fine - coarse).max() < 0.06


def test_dataset_renders_the_scenes_asked_for(tmp_path: Path) -> None:
    build("test", 0, 1, tmp_path, 2, 16, 1, "cpu", "sky-128")
    line = json.loads((tmp_path / "test.jsonl").read_text())
    assert line == scene(1_100_000).labels() and line["variety"] == "sky-128"
    assert np.array_equal(np.load(tmp_path / "test.npy")[0], render(scene(1_100_000), 2, 16).numpy())
    with pytest.raises(ValueError, match="labels of other scenes"):
        build("test", 0, 1, tmp_path, 2, 16, 1)
