"""Measures of clips, on pictures where the answer is known; and weights rounded as the page gets them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from recipe.fixtures.models import random_mebt
from recipe.manifest import choose_dtype, quantize_int4, quantize_int8
from recipe.measures import (
    crest,
    describe,
    fidelity,
    hill_steadiness,
    histogram_distance,
    hour,
    one_way_light,
    shares,
    unrelated_hills,
)
from recipe.mebt.model import MebtConfig
from recipe.names import tokenizer_tensors, transformer_tensors
from recipe.quantized import quantized
from recipe.rotation import turn
from recipe.sky.render import render
from recipe.sky.scene import Scene, draw_scene
from recipe.tokenizer.model import Stage, Tokenizer, TokenizerConfig

torch.set_num_threads(1)
Array = np.ndarray[Any, Any]


def landscape(height: Array, frames: int = 16, size: int = 32) -> Array:
    """A grey sky with noise over dark land whose crest is `height` [frames, W] rows from the top."""
    sky = 150 + np.random.default_rng(0).normal(0, 8, (frames, size, size))
    land = np.arange(size)[None, :, None] >= height[:, None, :]
    level = np.where(land, 40, sky)
    return np.repeat(level[..., None], 3, -1).clip(0, 255).astype(np.uint8)


def hills(phase: float, frames: int = 16) -> Array:
    line = 26 + np.round(3 * np.sin(np.arange(32) / 5 + phase)).astype(int)
    return np.tile(line, (frames, 1))


def test_crest_is_found() -> None:
    line = hills(0.0)
    assert np.abs(crest(landscape(line)) - line[0]).max() <= 1


def test_hills_that_stay_agree_and_hills_that_move_do_not() -> None:
    moving = np.stack([hills(0.12 * t, 1)[0] for t in range(40)])
    assert hill_steadiness(landscape(hills(1.0))) > 0.97
    assert hill_steadiness(landscape(moving, 40)) < 0.8
    assert unrelated_hills([landscape(hills(p)) for p in (0.0, 2.0, 4.0)]) < 0.8


def find(hour_name: str) -> Scene:
    """A scene whose first frame is of its hour beyond doubt."""
    scenes = (s for s in map(draw_scene, range(500)) if s.hour == hour_name and s.cover == "clear")
    return replace(next(scenes), land="rolling", land_height=0.2)


def test_rendered_clips_have_steady_hills_and_their_own_hour() -> None:
    scenes = [find(name) for name in ("night", "day")]
    clips = [render(scene, 16, 64).numpy() for scene in scenes]
    assert [hour(clip) for clip in clips] == ["night", "day"]
    assert min(hill_steadiness(clip) for clip in clips) > 0.8


def test_light_one_way() -> None:
    ramp = np.linspace(60, 180, 64)
    clip = np.broadcast_to(ramp[:, None, None, None], (64, 4, 4, 3)).astype(np.uint8)
    assert one_way_light(clip)
    assert one_way_light(clip[::-1])
    assert not one_way_light(np.concatenate([clip[::2], clip[::-2]]))


def test_histogram_distance_runs_from_equal_to_disjoint() -> None:
    night, day = shares(["night"] * 3), shares(["day"] * 3)
    assert histogram_distance(night, night) == 0
    assert histogram_distance(night, day) == 1
    assert abs(histogram_distance(shares(["night", "day"]), day) - 0.5) < 1e-9


def test_fidelity_weighs_edges_apart() -> None:
    clip = landscape(hills(0.0))
    blurred = clip.astype(np.float32)
    blurred[:, 1:-1] = (blurred[:, :-2] + blurred[:, 1:-1] + blurred[:, 2:]) / 3
    scores = fidelity(clip, blurred.astype(np.uint8))
    assert scores["psnr_edges"] < scores["psnr"] - 3
    assert abs(fidelity(clip, clip)["psnr"] - 100) < 1e-6


def test_description_counts_clips() -> None:
    facts = describe([landscape(hills(p)) for p in (0.0, 1.0)])
    assert facts["clips"] == 2
    assert sum(facts["hours"].values()) == 1


@pytest.mark.parametrize("matrices", ["float16", "int8", "int4"])
def test_quantized_modules_are_what_the_page_reads(matrices: str) -> None:
    """Width 96: a group of 64 rows of int4, and a shorter one."""
    config = MebtConfig(vocabulary=9, grid=(2, 2, 3), width=96, heads=2, latent_tokens=4, modes=("latent_enc",))
    stages = (Stage(8, (2, 1, 2), 1, resample_kernel=(4, 3, 4)),)
    tokenizer = Tokenizer(TokenizerConfig(9, 4, "none", stages, stages, 4)).requires_grad_(False)
    mebt = random_mebt(config, 1)
    found = transformer_tensors(quantized(mebt, matrices)) | tokenizer_tensors(quantized(tokenizer, matrices), True)
    if matrices != "float16":
        turn(mebt)
    exact = transformer_tensors(mebt) | tokenizer_tensors(tokenizer, True)
    stored = set()
    for name, value in exact.items():
        expected = value
        dtype = choose_dtype(name, value, matrices)
        stored.add(dtype)
        if dtype == "float16":
            expected = value.astype(np.float16).astype(np.float32)
        elif dtype == "int8":
            integers, scale = quantize_int8(value)
            expected = integers * scale
        elif dtype == "int4":
            levels, scales = quantize_int4(value, 64)
            expected = levels * scales.repeat(64, 0)[: len(levels)]
        np.testing.assert_allclose(found[name], expected, rtol=0, atol=1e-7, err_msg=name)
    others = {"float16": {"float16"}, "int8": {"int8", "float16"}, "int4": {"int4", "int8"}}
    assert stored == {"float32"} | others[matrices]
