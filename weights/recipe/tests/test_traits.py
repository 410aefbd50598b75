"""What a model is told of a clip: read off the labels, drawn by its shares, and read as known tokens are."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from recipe.evaluate.labels import transformed
from recipe.fixtures.models import random_mebt
from recipe.mebt.model import Mebt, MebtConfig, mebt_modes
from recipe.mebt.start import go_on_from, start_traits
from recipe.mebt.train import UNTOLD, Plan, draw_step
from recipe.sky.scene import draw_scene as draw_sky
from recipe.traits import all_rows, draw_scene, labels_of, parse_scene, scene_of, scene_of_seed, traits_of
from recipe.workers import Workers

torch.set_num_threads(1)
LABELS = [draw_sky(seed, "sky-128").labels() for seed in range(400)]
SCENES = [scene_of(row) for row in LABELS]
TRAITS = traits_of(SCENES)
CONFIG = MebtConfig(60, (2, 4, 4), 72, 2, 4, mebt_modes(1, 1), TRAITS)


def drawn(chosen: dict[str, str], count: int = 2000) -> list[dict[str, str]]:
    return [draw_scene(TRAITS, chosen, np.random.default_rng(seed)) for seed in range(count)]


def share(scenes: list[dict[str, str]], **values: str) -> float:
    return float(np.mean([all(scene[name] == value for name, value in values.items()) for scene in scenes]))


def test_mirrored_clips_have_the_other_wind_and_nothing_else() -> None:
    other = {"left": "right", "right": "left"}
    for row, scene in zip(LABELS, SCENES, strict=True):
        mirrored = scene_of(transformed(row, True, False))
        assert mirrored == scene | {"wind": other.get(scene["wind"], scene["wind"])}


def test_what_a_scene_says_is_what_the_labels_say() -> None:
    for row, scene in zip(LABELS, SCENES, strict=True):
        said = labels_of(scene)
        wind = said.pop("wind_direction", None)
        assert said == {name: row[name] for name in ("hour", "cover", "land", "water", "moon")}
        if wind is not None:
            assert abs((row["wind_direction"] - wind + 180) % 360 - 180) <= 45


def test_traits_that_tell_no_clips_apart_are_left_out() -> None:
    plain = [scene_of(draw_sky(seed, "sky-64").labels()) for seed in range(60)]
    assert [trait.name for trait in traits_of(plain)] == ["hour", "clouds", "wind", "pace", "land", "moon"]


def test_scenes_are_drawn_as_clips_are_spread() -> None:
    scenes = drawn({})
    for value in TRAITS[0].values:
        assert share(scenes, hour=value) == pytest.approx(share(SCENES, hour=value), abs=0.04)
    assert share(scenes, hour="night", moon="yes") == pytest.approx(share(SCENES, hour="night", moon="yes"), abs=0.04)
    assert share(scenes, hour="morning", moon="yes") < 0.01


def test_what_is_chosen_stays_and_the_rest_follows() -> None:
    scenes = drawn({"moon": "yes", "clouds": "clear"}, 500)
    assert share(scenes, moon="yes", clouds="clear") == 1
    assert share(scenes, hour="night") > 2.5 * share(SCENES, hour="night")
    assert parse_scene("moon-yes.clouds-clear") == {"moon": "yes", "clouds": "clear"}
    assert parse_scene("") == {}


@pytest.mark.parametrize("chosen", [{"moon": "half"}, {"hour": ""}, {"weather": "fine"}])
def test_what_there_is_none_of_is_refused(chosen: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="there are"):
        draw_scene(TRAITS, chosen, np.random.default_rng(0))


def test_models_that_are_told_nothing_take_no_scene() -> None:
    assert scene_of_seed((), {}, 1) is None
    with pytest.raises(ValueError, match="no traits"):
        scene_of_seed((), {"hour": "night"}, 1)


def inputs() -> tuple[torch.Tensor, ...]:
    return torch.arange(32).view(1, -1) % 60, *torch.arange(32).view(1, -1).split(16, 1)


def test_what_is_told_is_read_as_a_known_token_is() -> None:
    model = Mebt(CONFIG).eval().requires_grad_(False)
    go_on_from(model, random_mebt(replace(CONFIG, traits=()), 1))
    assert model.trait_embedding is not None and not model.trait_embedding.any()
    tokens, context, target = inputs()
    scene = torch.tensor([[3]])
    model.trait_embedding[3] = model.token_embedding.weight[tokens[0, 5]] + model.position_embedding[5]
    told = model(tokens, context[:, :5], target, scene=scene)
    assert torch.allclose(told, model(tokens, context[:, :6], target), atol=1e-5)
    left_open = model(tokens, context[:, :5], target, scene=torch.full_like(scene, -1))
    assert not torch.allclose(told, left_open, atol=1e-3)


def test_a_value_begins_as_the_token_that_tells_it() -> None:
    model = random_mebt(replace(CONFIG, traits=TRAITS[:1]), 1)
    scenes = all_rows(TRAITS[:1], SCENES)  # [N, 1]
    tokens = torch.full((len(SCENES), 32), 7)
    tokens[:, 9] = 10 + scenes[:, 0]
    start_traits(model, tokens, scenes)
    assert model.trait_embedding is not None
    for row, value in enumerate(model.trait_embedding):
        assert torch.allclose(value, model.token_embedding.weight[10 + row] + model.position_embedding[9])


def test_training_tells_what_its_clips_are_of_but_not_always() -> None:
    grids = torch.arange(40).view(40, 1, 1, 1).expand(40, 2, 4, 4)  # every token is the number of its clip
    scenes = all_rows(TRAITS, SCENES[:40])
    workers, untold, clips = Workers(0, 1, torch.device("cpu")), 0, 0
    for i in range(60):
        step = draw_step(grids, i, 0.5, Plan(8), workers, scenes)
        assert step.scene is not None
        for tokens, scene in zip(step.tensors[0], step.scene, strict=True):
            clips, untold = clips + 1, untold + int(scene[0] < 0)
            assert scene[0] < 0 or torch.equal(scene, scenes[int(tokens[0])])
    assert untold / clips == pytest.approx(UNTOLD, abs=0.05)


def test_the_config_survives_its_json() -> None:
    data: dict[str, Any] = CONFIG.to_json()
    assert MebtConfig.from_json(data) == CONFIG
    del data["traits"]  # as checkpoints from before have it
    assert MebtConfig.from_json(data).traits == ()
