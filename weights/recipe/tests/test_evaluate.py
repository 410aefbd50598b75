"""The evaluation on clips whose truth is known: labels by name, distances, damages that show, courses and seams."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from recipe.evaluate.__main__ import main, of_reconstructions, rounded
from recipe.evaluate.clips import ClipWriter, open_clips
from recipe.evaluate.course import around, colour_drift, light_course, motion, wind_change
from recipe.evaluate.damage import DAMAGES, VISIBLE, damaged, rising
from recipe.evaluate.distance import compare, covered, frechet, kernel_distance
from recipe.evaluate.labels import Labels, Target, choose_targets, encode, transformed, value_of
from recipe.evaluate.network import Network, accuracy, features_of, read_clips, read_damages, save_network, train
from recipe.evaluate.proof import falls, prove
from recipe.sky.scene import draw_scene

torch.set_num_threads(1)
Array = np.ndarray[Any, Any]
SIZE, FRAMES = 32, 16


def world(seed: int) -> tuple[Array, Labels]:
    """Bright blots that drift over a sky that brightens or darkens, above dark land."""
    random = np.random.default_rng(seed)
    first, last = random.uniform(-6, 20, 2)
    direction, speed, land = random.uniform(0, 360), random.uniform(0.2, 1.0), random.uniform(0.1, 0.4)
    texture = np.fft.ifft2(np.fft.fft2(random.normal(size=(SIZE, SIZE))) * kernel()).real
    texture = 40 * texture / texture.std()
    rows, columns = np.mgrid[:SIZE, :SIZE]
    frames = []
    for t in range(FRAMES):
        dx, dy = (speed * t * f(np.radians(direction)) for f in (np.cos, np.sin))
        phase = np.exp(-2j * np.pi * (np.fft.fftfreq(SIZE)[:, None] * dy + np.fft.fftfreq(SIZE)[None] * dx))
        clouds = np.fft.ifft2(np.fft.fft2(texture) * phase).real.clip(0)
        level = 60 + 5 * (first + (last - first) * t / (FRAMES - 1)) + clouds
        level[rows >= SIZE * (1 - land) + np.sin(columns / 4)] = 15
        frames.append(np.stack([level, level * 0.9, level * 0.8], -1))
    labels = {
        "seed": seed, "hour": "day" if first + last > 14 else "night", "sun_elevation_first": first,
        "sun_elevation_last": last, "wind_direction": direction, "wind_speed": speed, "land_height": land,
    }  # fmt: skip
    return np.stack(frames).round().clip(0, 255).astype(np.uint8), labels


def kernel() -> Array:
    f = np.hypot(np.fft.fftfreq(SIZE)[:, None], np.fft.fftfreq(SIZE)[None])
    result: Array = np.exp(-((f * 5) ** 2))
    return result


@pytest.fixture(scope="module")
def clips() -> tuple[Array, list[Labels]]:
    pairs = [world(seed) for seed in range(160)]
    return np.stack([clip for clip, _ in pairs]), [labels for _, labels in pairs]


@pytest.fixture(scope="module")
def network(clips: tuple[Array, list[Labels]]) -> Network:
    return train(clips[0][:96], clips[1][:96], epochs=20, batch=12, lr=3e-3, seed=0, device="cpu", share=0.25)


def test_targets_are_found_by_name_and_kind() -> None:
    rows = [draw_scene(seed).labels() for seed in range(300)]
    for i, row in enumerate(rows):
        row["water"], row["water_level"], row["haze_colour"] = i % 3 == 0, i % 7 / 7, "white" if i % 2 else "blue"
    targets = {target.name: target for target in choose_targets(rows)}
    kinds = {name: targets[name].kind for name in ("hour", "moon", "wind_direction", "land_height", "haze_colour")}
    assert kinds == {
        "hour": "choice", "moon": "flag", "wind_direction": "angle", "land_height": "number", "haze_colour": "choice"
    }  # fmt: skip
    assert "seed" not in targets
    assert targets["sun_elevation_change"].kind == "number"
    values, valid = encode(rows, (targets["water_level"], targets["moon_x"], targets["hour"]))
    assert valid[:, 0].tolist() == [row["water"] for row in rows]
    assert valid[:, 1].tolist() == [row["moon"] for row in rows]
    assert valid[:, 2].all()
    assert abs(values[valid[:, 0], 0].mean()) < 1e-5
    assert Target.from_json(json.loads(json.dumps(targets["hour"].to_json()))) == targets["hour"]


def test_mirrored_and_reversed_labels_come_back() -> None:
    row = {"sun_elevation_first": 3.0, "sun_elevation_last": 9.0, "wind_direction": 30.0, "moon_x": 0.25, "haze": 0.5}
    assert value_of(row, "sun_elevation_change") == 6.0
    assert value_of(transformed(row, True, True), "sun_elevation_change") == -6.0
    assert transformed(row, True, False) == row | {"wind_direction": 150.0, "moon_x": 0.75}
    backwards = {"sun_elevation_first": 9.0, "sun_elevation_last": 3.0, "wind_direction": 210.0}
    assert transformed(row, False, True) == row | backwards
    for way in ((True, False), (False, True), (True, True)):
        assert transformed(transformed(row, *way), *way) == row


def test_frechet_distance_of_gaussians_is_the_formula() -> None:
    random = np.random.default_rng(0)
    a = random.normal(size=(200_000, 2)) * [1, 2]
    b = random.normal(size=(200_000, 2)) * [3, 2] + [0, 4]
    assert frechet(a, b) == pytest.approx(16 + (3 - 1) ** 2, rel=0.02)
    assert frechet(a, a) == pytest.approx(0, abs=1e-9)


def test_samples_are_compared_with_as_many_reconstructions() -> None:
    random = np.random.default_rng(4)
    real, rebuilt = random.normal(size=(400, 8)), random.normal(size=(60, 8)) + 0.5
    alike, worse = random.normal(size=(500, 8)) + 0.5, random.normal(size=(20, 8)) + 1.5
    assert of_reconstructions(alike, rebuilt, real) == pytest.approx(1, abs=0.25)  # however many more there are
    assert of_reconstructions(worse, rebuilt, real) > 2


def test_kernel_distance_does_not_depend_on_the_number_of_clips() -> None:
    random = np.random.default_rng(1)
    real = random.normal(size=(2000, 8))
    few = [kernel_distance(random.normal(size=(16, 8)), real) for _ in range(60)]
    assert abs(np.mean(few)) < 3 * np.std(few) / np.sqrt(60)
    assert kernel_distance(random.normal(size=(200, 8)) + 1, real) > 10 * np.std(few)


def test_precision_and_recall_tell_stray_samples_from_missing_ones() -> None:
    random = np.random.default_rng(2)
    real = np.concatenate([random.normal(size=(100, 4)), random.normal(size=(100, 4)) + 20])
    missing, stray = real[:100] + 0.01, np.concatenate([real + 0.01, random.normal(size=(200, 4)) - 40])
    assert compare(missing, real)["precision"] > 0.95 > 0.55 > compare(missing, real)["recall"]
    assert compare(stray, real)["recall"] > 0.95 > 0.55 > compare(stray, real)["precision"]
    with pytest.raises(ValueError, match="more than 3 clips"):
        covered(real, real[:3])


def test_the_network_reads_labels_it_was_trained_on(clips: tuple[Array, list[Labels]], network: Network) -> None:
    held_out, rows = clips[0][96:], clips[1][96:]
    report = accuracy(network.targets, read_clips(network, held_out)[1], *encode(rows, network.targets))
    assert report["sun_elevation_first"]["r2"] > 0.5
    assert report["sun_elevation_last"]["r2"] > 0.5
    assert report["land_height"]["r2"] > 0.4
    assert report["hour"]["right"] > report["hour"]["commonest"] + 0.1


def test_the_network_reads_damages(clips: tuple[Array, list[Labels]], network: Network) -> None:
    report = read_damages(network, clips[0][96:])
    assert set(report) == set(VISIBLE)
    assert report["damage_noise"]["r2"] > 0.5  # of blur this world's soft clouds show little
    assert report["damage_shuffled"]["r2"] > 0.3


def test_a_damaged_clip_has_the_label_of_its_damage_alone(clips: tuple[Array, list[Labels]]) -> None:
    some, rows = clips[0][:12], clips[1][:12]
    found, labels = damaged(some, rows, 0.5, np.random.default_rng(1))
    changed = [not np.array_equal(a, b) for a, b in zip(found, some, strict=True)]
    assert sum(changed) == 6
    for hurt, label, row in zip(changed, labels, rows, strict=True):
        assert ("hour" in label) != hurt
        assert (max(label[name] for name in VISIBLE) > 0) == hurt
        assert hurt or label == row | dict.fromkeys(VISIBLE, 0.0)
    again, _ = damaged(np.stack([some[0]] * 8), [{}] * 8, 1.0, np.random.default_rng(2))
    assert len({clip.tobytes() for clip in again}) == 8  # no grain or order of frames is seen twice


def test_features_do_not_depend_on_the_batch(clips: tuple[Array, list[Labels]], network: Network) -> None:
    some = clips[0][:6]
    np.testing.assert_allclose(features_of(network, some, 4), features_of(network, some, 1), rtol=0, atol=1e-4)


def test_the_distance_grows_with_every_damage(clips: tuple[Array, list[Labels]], network: Network) -> None:
    report = prove(clips[0], features_of(network, clips[0]), clips[1], lambda some: features_of(network, some), 48)
    assert set(report) == set(DAMAGES)
    for name, rows in report.items():
        assert falls(rows, 0.05) == [], (name, [row["frechet"] for row in rows])
        assert rows[-1]["frechet"] > 1.3 * rows[0]["frechet"], name
    collapse = report["mode collapse"]
    assert collapse[-1]["recall"] < collapse[0]["recall"] - 0.1


@pytest.mark.parametrize("name", DAMAGES)
def test_no_strength_is_no_damage(name: str, clips: tuple[Array, list[Labels]]) -> None:
    some = clips[0][:8]
    assert np.array_equal(DAMAGES[name](some, 0.0), some)
    assert not np.array_equal(DAMAGES[name](some, 1.0), some)
    assert np.array_equal(DAMAGES[name](some, 0.5), DAMAGES[name](some, 0.5))


def test_rising_suns() -> None:
    rows = [{"sun_elevation_first": a, "sun_elevation_last": b} for a, b in ((0, 1), (2, 1), (-3, 4))]
    assert rising(rows).tolist() == [0, 2]


def test_motion_is_that_of_the_clouds() -> None:
    errors = []
    for seed in range(12):
        clip, labels = world(seed)
        truth = labels["wind_speed"] * np.array([f(np.radians(labels["wind_direction"])) for f in (np.sin, np.cos)])
        errors.append(np.linalg.norm(motion(clip, 2) * SIZE / 100 - truth) / labels["wind_speed"])
    assert np.median(errors) < 0.35


def test_a_wind_that_turns_is_told_from_one_that_stays() -> None:
    clip, _ = world(3)
    there_and_back = np.concatenate([clip, clip[::-1]])
    twice = np.concatenate([clip, clip])
    assert wind_change(there_and_back)["wind_change"] > 4 * wind_change(twice)["wind_change"]


def test_light_and_colours() -> None:
    ramp = np.broadcast_to(np.linspace(60, 180, 32)[:, None, None, None], (32, 4, 4, 3)).astype(np.uint8)
    assert light_course(ramp) == pytest.approx(1)
    assert light_course(np.concatenate([ramp, ramp[::-1]])) < 0.1
    drift = colour_drift(ramp)
    assert drift[0] == 0
    assert drift == sorted(drift)
    assert drift[-1] == pytest.approx((180 - 60) * 7 / 8 / 256, abs=0.04)


def test_a_seam_shows() -> None:
    (one, _), (other, _) = world(1), world(2)
    whole, cut = around(one, FRAMES // 2), around(np.concatenate([one[:8], other[8:]]), FRAMES // 2)
    assert cut["jump"] > 5 * whole["jump"]
    assert cut["hills"] < whole["hills"]
    assert cut["colour_step"] > whole["colour_step"]


def test_clip_folders_go_on_and_keep_to_one_recipe(tmp_path: Path) -> None:
    clip = np.full((4, 8, 8, 3), 7, np.uint8)
    writer = ClipWriter(tmp_path, {"options": {"steps": 2}}, 3, (4, 8, 8))
    writer.write(clip)
    writer.write(clip + 1)
    assert len(open_clips(tmp_path)) == 2
    longer = ClipWriter(tmp_path, {"options": {"steps": 2}}, 5, (4, 8, 8))
    assert longer.finished == 2
    longer.write(clip + 2)
    found = open_clips(tmp_path, "three")
    assert (found.name, found.steps, found.seams) == ("three", 2, ())
    assert found.array[:, 0, 0, 0, 0].tolist() == [7, 8, 9]
    with pytest.raises(ValueError, match="made otherwise"):
        ClipWriter(tmp_path, {"options": {"steps": 3}}, 5, (4, 8, 8))


def test_the_command_writes_tables(
    tmp_path: Path, clips: tuple[Array, list[Labels]], network: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_network(network, tmp_path / "network.pt")
    np.save(tmp_path / "test.npy", clips[0][96:])
    lines = [json.dumps(row) for row in clips[1][96:]]
    (tmp_path / "test.jsonl").write_text("\n".join(lines) + "\n")
    made = {"backend": "wasm", "weights": ["float32", "int8"], "options": {"steps": 8}, "seams": [8]}
    writer = ClipWriter(tmp_path / "eight", made, 8, (FRAMES, SIZE, SIZE))
    for clip in clips[0][:8]:
        writer.write(clip)
    arguments = ["--network", "network.pt", "--test", "test.npy", "--test-labels", "test.jsonl", "--out", "card"]
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["evaluate", *arguments, "--samples", "8 steps=eight", "--proof", "16"])
    main()
    report = json.loads((tmp_path / "card/evaluation.json").read_text())
    assert [row["name"] for row in report["samples"]] == ["8 steps"]
    assert report["samples"][0]["seams"]["hills"] > 0.9
    monkeypatch.setattr(sys, "argv", ["evaluate", *arguments])
    main()  # keeps what it is not asked for
    assert json.loads((tmp_path / "card/evaluation.json").read_text())["samples"] == report["samples"]
    text = (tmp_path / "card/evaluation.md").read_text()
    assert "| 8 steps | 8 |" in text
    assert "| wind direction |" in text
    assert (tmp_path / "card/evaluation.png").stat().st_size > 1000


def test_rounding_keeps_six_digits() -> None:
    assert rounded({"a": [1 / 3, 123456.789, 2]}) == {"a": [0.333333, 123457.0, 2]}
