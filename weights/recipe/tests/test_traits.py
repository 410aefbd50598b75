"""What a model is told of a clip: read off the labels, drawn by its shares, and read as known tokens are."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from recipe.evaluate.labels import choose_targets, encode, transformed
from recipe.evaluate.told import describe_told
from recipe.fixtures.models import random_mebt
from recipe.mebt.batches import NO_COURSE, UNTOLD, Plan, Told, draw_step
from recipe.mebt.model import Mebt, MebtConfig, mebt_modes
from recipe.mebt.start import go_on_from, start_traits
from recipe.sky.scene import draw_scene as draw_sky
from recipe.traits import (
    BRIGHTER,
    DARKER,
    SKY,
    WINDS,
    all_rows,
    draw_scene,
    hour_of,
    parse_scene,
    part_of,
    places_of,
    scene_of,
    scene_of_seed,
    traits_of,
)
from recipe.workers import Workers

torch.set_num_threads(1)
LABELS: list[dict[str, Any]] = [draw_sky(seed, "sky-128").labels() for seed in range(400)]
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


def test_a_scene_says_what_the_labels_say() -> None:
    for row, scene in zip(LABELS, SCENES, strict=True):
        assert scene["clouds"] == row["cover"] and scene["water"] == ("yes" if row["water"] else "no")
        assert abs((row["wind_direction"] - WINDS[scene["wind"]] + 180) % 360 - 180) <= 45
        if scene["hour"] in (*BRIGHTER, *DARKER):
            assert (row["sun_elevation_last"] > row["sun_elevation_first"]) == (scene["hour"] in BRIGHTER)
    assert {scene["hour"] for scene in SCENES} == set(SKY["hour"][1])


def test_a_part_of_a_clip_has_the_course_of_the_part() -> None:
    row = {"sun_elevation_first": 6.0, "sun_elevation_last": -6.0, "moon": False}
    hours = [hour_of(part_of(row, i / 4, (i + 1) / 4)) for i in range(4)]
    assert hours == ["evening", "sunset", "sunset", "dusk"] and hour_of(row) == "sunset"
    assert part_of(row, 0, 1) == row
    assert part_of(row, 0.5, 0.75) == {"sun_elevation_first": 0.0, "sun_elevation_last": -3.0, "moon": False}


def test_a_network_that_reads_labels_finds_what_was_told() -> None:
    targets = choose_targets(LABELS)
    values, _ = encode(LABELS, targets)
    outs = []
    for k, target in enumerate(targets):
        column = values[:, k]
        match target.kind:
            case "choice":
                outs.append(np.eye(len(target.classes))[column.astype(int)])
            case "flag":
                outs.append(column[:, None] * 2 - 1)
            case "angle":
                outs.append(np.stack([np.cos(np.radians(column)), np.sin(np.radians(column))], 1))
            case _:
                outs.append(column[:, None])
    rising = [row["sun_elevation_last"] > row["sun_elevation_first"] for row in LABELS]
    light = np.linspace(40, 200, 32)[:, None, None, None]
    clips = np.stack([np.broadcast_to(light if up else light[::-1], (32, 4, 4, 3)) for up in rising]).astype(np.uint8)
    found = describe_told(targets, outs, SCENES, clips)
    assert {name: facts["right"] for name, facts in found.items() if name != "wind"} == dict.fromkeys(
        ("hour", "clouds", "land", "water", "moon", "light"), 1.0
    )
    assert found["wind"]["off"] < 45
    wrong = describe_told(targets, outs, [*SCENES[1:], SCENES[0]], clips[:, ::-1])
    assert wrong["light"]["right"] == 0.0 or wrong["hour"]["right"] < 0.5
    assert describe_told((), (), [], clips[:0]) == {}


def test_traits_that_tell_no_clips_apart_are_left_out() -> None:
    plain = [scene_of(draw_sky(seed, "sky-64").labels()) for seed in range(60)]
    assert [trait.name for trait in traits_of(plain)] == ["hour", "clouds", "wind", "pace", "land", "horizon", "moon"]


def test_scenes_are_drawn_as_clips_are_spread() -> None:
    scenes = drawn({})
    for value in TRAITS[0].values:
        assert share(scenes, hour=value) == pytest.approx(share(SCENES, hour=value), abs=0.04)
    assert share(scenes, hour="night", moon="yes") == pytest.approx(share(SCENES, hour="night", moon="yes"), abs=0.04)
    assert share(scenes, hour="forenoon", moon="yes") < 0.01


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


def told_model() -> tuple[Mebt, torch.Tensor]:
    """Whose table says nothing yet, and the table."""
    model = Mebt(CONFIG).eval().requires_grad_(False)
    go_on_from(model, random_mebt(replace(CONFIG, traits=()), 1))
    assert model.trait_embedding is not None and not model.trait_embedding.any()
    return model, model.trait_embedding


def only(*places: int, rows: tuple[int, ...]) -> torch.Tensor:
    """A scene that says nothing but these rows, in these places."""
    scene = torch.full((1, len(places_of(TRAITS))), -1)
    scene[0, list(places)] = torch.tensor(rows, dtype=torch.int64)
    return scene


def test_what_is_told_is_read_as_a_known_token_is() -> None:
    model, table = told_model()
    tokens, context, target = inputs()
    clear = 2 * len(TRAITS[0].values)  # the first row of the second trait
    assert places_of(TRAITS)[:4] == ["first", "last", "", ""]
    table[clear] = model.token_embedding.weight[tokens[0, 5]] + model.position_embedding[5]
    told = model(tokens, context[:, :5], target, scene=only(2, rows=(clear,)))
    known = model(tokens, context[:, :6], target)
    empty = model(tokens, context[:, :5], target, scene=only(rows=()))
    assert not torch.allclose(told, empty, atol=1e-3)
    one = Mebt(replace(CONFIG, traits=TRAITS[1:2])).eval().requires_grad_(False)
    one.load_state_dict(model.state_dict() | {"trait_embedding": table[clear : clear + 5].clone()})
    told = one(tokens, context[:, :5], target, scene=torch.tensor([[0]]))
    assert torch.allclose(told, known, atol=1e-5)


@pytest.mark.parametrize("first", [0, 16])
def test_a_course_is_told_in_the_middle_of_the_first_frame_and_of_the_last(first: int) -> None:
    hour = TRAITS[:1]
    model = random_mebt(replace(CONFIG, grid=(4, 4, 4), latent_tokens=8, traits=hour), 1).requires_grad_(False)
    table, values = model.trait_embedding, len(hour[0].values)
    assert table is not None
    tokens = torch.arange(48).view(1, -1)  # a window of three frames
    middles = torch.tensor([[10, 32 + 10]])
    (dusk,) = all_rows(hour, [{"hour": "dusk"}])
    assert dusk.tolist() == [7, values + 7]
    table[dusk] = model.token_embedding.weight[tokens[0, middles[0]]]
    others, target = torch.tensor([[1, 2, 40]]), torch.tensor([[5, 20, 47]])
    told = model(tokens, others, target, first, scene=dusk.view(1, -1))
    assert torch.allclose(told, model(tokens, torch.cat([middles, others], 1), target, first), atol=1e-5)


def test_a_value_begins_as_the_token_that_tells_it() -> None:
    clouds = TRAITS[1:2]
    model = random_mebt(replace(CONFIG, traits=clouds), 1)
    scenes = all_rows(clouds, SCENES)  # [N, 1]
    tokens = torch.full((len(SCENES), 32), 7)
    tokens[:, 9] = 10 + scenes[:, 0]
    table = model.trait_embedding
    assert table is not None
    table.data.zero_()
    table.data[2] = 1  # says something already
    start_traits(model, tokens, scenes)
    for row, value in enumerate(table):
        begun = model.token_embedding.weight[10 + row] + model.position_embedding[9]
        assert torch.allclose(value, begun if row != 2 else torch.ones(72))


def test_a_course_begins_as_tokens_of_the_frames_that_it_is_told_in() -> None:
    hour, values = TRAITS[:1], len(TRAITS[0].values)
    model = random_mebt(replace(CONFIG, traits=hour), 1)
    scenes = all_rows(hour, SCENES)  # [N, 2]
    tokens = torch.full((len(SCENES), 32), 7)
    tokens[:, 9], tokens[:, 16 + 3] = 10 + scenes[:, 0], 30 + scenes[:, 0]
    table, embed, places = model.trait_embedding, model.token_embedding.weight, model.position_embedding
    assert table is not None
    table.data.zero_()
    start_traits(model, tokens, scenes)
    for row in range(values):
        assert torch.allclose(table[row] + places[10], embed[10 + row] + places[9], atol=1e-5)
        assert torch.allclose(table[values + row] + places[26], embed[30 + row] + places[19], atol=1e-5)


def test_what_was_told_before_is_carried_trait_by_trait() -> None:
    old = random_mebt(replace(CONFIG, traits=(replace(TRAITS[0], course=False), *TRAITS[1:3])), 1)
    new = Mebt(replace(CONFIG, traits=TRAITS[:4]))
    go_on_from(new, old)
    assert new.trait_embedding is not None and old.trait_embedding is not None
    hour, clouds, wind, pace = new.trait_embedding.split([trait.rows for trait in TRAITS[:4]])
    assert torch.equal(torch.cat([clouds, wind]), old.trait_embedding[len(TRAITS[0].values) :])
    assert not hour.any() and not pace.any()  # an hour that was no course was told in one token


def test_training_tells_what_its_clips_are_of_but_not_always() -> None:
    grids = torch.arange(40).view(40, 1, 1, 1).expand(40, 2, 4, 4)  # every token is the number of its clip
    told = Told(TRAITS, LABELS[:40])
    scenes, workers = told.rows(), Workers(0, 1, torch.device("cpu"))
    untold, without, clips = 0, 0, 0
    for i in range(120):
        step = draw_step(grids, i, 0.5, Plan(8, mixed=False), workers, told)
        assert step.scene is not None
        for tokens, scene in zip(step.tensors[0], step.scene, strict=True):
            expected, clips = scenes[int(tokens[0])], clips + 1
            if scene[2] < 0:
                untold += 1
                assert (scene == -1).all()
            elif scene[0] < 0:
                without += 1
                assert torch.equal(scene[2:], expected[2:]) and scene[1] < 0
            else:
                assert torch.equal(scene, expected)
    assert untold / clips == pytest.approx(UNTOLD, abs=0.04)
    assert without / clips == pytest.approx(NO_COURSE, abs=0.04)


def test_windows_are_told_their_own_part_of_the_course() -> None:
    told = Told(TRAITS, [LABELS[0] | {"sun_elevation_first": 6.0, "sun_elevation_last": -6.0}])
    rows = told.rows_of_windows(([0, 0], [0, 6]), 2, 8)
    hours = TRAITS[0].values
    assert [hours[row] for row in rows[:, 0].tolist()] == ["evening", "dusk"]
    assert torch.equal(rows[:, 2:], told.rows()[:, 2:].expand(2, -1))


def test_the_config_survives_its_json() -> None:
    data: dict[str, Any] = CONFIG.to_json()
    assert MebtConfig.from_json(data) == CONFIG
    del data["traits"]  # as checkpoints from before have it
    assert MebtConfig.from_json(data).traits == ()
