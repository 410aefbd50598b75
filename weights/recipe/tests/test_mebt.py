"""The transformer: which stream reads which, and what an empty context means."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from recipe.fixtures.models import random_mebt
from recipe.mebt.batches import Plan, disturbed, draw_first, draw_length, draw_step, reach, split_positions
from recipe.mebt.model import MODES, Block, Mebt, MebtConfig, mebt_modes
from recipe.workers import Workers

torch.set_num_threads(1)
CONFIG = MebtConfig(vocabulary=11, grid=(2, 3, 4), width=12, heads=2, latent_tokens=4, modes=mebt_modes(1, 1))


def inputs(batch: int = 2, masked: int = 10) -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    tokens = torch.randint(CONFIG.vocabulary, (batch, CONFIG.positions), generator=generator)
    return tokens, *split_positions(batch, CONFIG.positions, masked, generator)


@pytest.fixture(scope="module")
def model() -> Mebt:
    return random_mebt(CONFIG, 3)


def test_modes_are_the_papers_order() -> None:
    assert mebt_modes(2, 1) == (
        "latent_enc", "latent_self", "latent_enc", "latent_self", "latent_enc", "latent_dec", "lt2l", "latent_dec",
    )  # fmt: skip


def test_config_survives_json() -> None:
    assert MebtConfig.from_json(CONFIG.to_json()) == CONFIG


def test_logits_follow_the_order_of_the_targets(model: Mebt) -> None:
    tokens, context, target = inputs()
    logits = model(tokens, context, target)
    assert logits.shape == (2, 10, 11)
    turned = model(tokens, context.flip(1), target.flip(1)).flip(1)
    torch.testing.assert_close(turned, logits, rtol=0, atol=1e-5)


def test_tokens_at_targets_are_never_read(model: Mebt) -> None:
    tokens, context, target = inputs()
    changed = tokens.scatter(1, target, (tokens.gather(1, target) + 1) % CONFIG.vocabulary)
    torch.testing.assert_close(model(changed, context, target), model(tokens, context, target), rtol=0, atol=0)
    seen = tokens.scatter(1, context, (tokens.gather(1, context) + 1) % CONFIG.vocabulary)
    assert float((model(seen, context, target) - model(tokens, context, target)).abs().max()) > 0.1


@pytest.mark.parametrize("modes", [("latent_enc", "latent_dec", "lt2l"), ("maskgit", "latent_dec"), mebt_modes(2, 1)])
def test_some_of_the_targets_are_predicted_as_if_all_were_asked_for(modes: tuple[str, ...]) -> None:
    model = random_mebt(replace(CONFIG, modes=modes), 3)
    tokens, context, target = inputs()
    some = model(tokens, context, target, asked=3)
    torch.testing.assert_close(some, model(tokens, context, target)[:, :3], rtol=0, atol=1e-5)


def test_a_target_may_stand_for_several(model: Mebt) -> None:
    """Twice the same target says what one says that stands for two."""
    tokens, context, target = inputs()
    twice = model(tokens, context, target.repeat(1, 2))[:, :10]
    once = model(tokens, context, target, stands_for=2.0)
    torch.testing.assert_close(once, twice, rtol=0, atol=1e-5)
    assert float((once - model(tokens, context, target)).abs().max()) > 1e-3


def test_a_batch_may_have_a_part_of_its_targets() -> None:
    grids = torch.arange(24).view(1, 2, 3, 4)
    workers = Workers(0, 1, torch.device("cpu"))
    steps = [draw_step(grids, i, 0.5, Plan(2, targets=6), workers) for i in range(20)]
    assert {step.tensors[2].shape[1] for step in steps} >= {6}
    for step in steps:
        _, context, target = step.tensors
        assert target.shape[1] <= 6
        assert round(target.shape[1] * step.stands_for) + context.shape[1] == 12 * step.latent_frames


def test_wrong_codes_are_of_the_clip_and_in_the_context_only() -> None:
    generator = torch.Generator().manual_seed(0)
    tokens = torch.arange(200).view(2, 100)
    context, target = split_positions(2, 100, 40, generator)
    found = disturbed(tokens, context, 0.1, generator)
    assert torch.equal(found.gather(1, target), tokens.gather(1, target))
    assert 3 <= int((found != tokens)[0].sum()) <= 6
    assert torch.equal(found // 100, tokens // 100)


def test_tokens_become_known_as_sampling_has_them() -> None:
    grids, workers = torch.arange(2 * 4 * 8 * 8).view(2, 4, 8, 8), Workers(0, 1, torch.device("cpu"))
    plan = Plan(2, mixed=False, schedules=("quartic",), orders=("spread",))
    steps = [draw_step(grids, i, 1.0, plan, workers) for i in range(40)]
    known = sorted(step.tensors[1].shape[1] for step in steps)
    assert 4 < known[20] < 48  # of 256; u^4 has its median at a sixteenth
    met = []
    for step in steps:
        _, context, target = step.tensors
        order = torch.cat([context, target], 1)
        assert torch.equal(order.sort(1).values, torch.arange(256).expand(2, 256))
        assert not torch.equal(order[0], order[1])
        met += [len({(int(p) // 64, int(p) // 32 % 2, int(p) // 4 % 2) for p in row[:32]}) for row in order]
    assert np.mean(met) > 14.8  # of 16 parts of clip and picture; 32 random tokens meet 14.1


def test_samples_of_a_batch_do_not_mix(model: Mebt) -> None:
    tokens, context, target = inputs()
    both = model(tokens, context, target)
    alone = model(tokens[1:], context[1:], target[1:])
    torch.testing.assert_close(both[1:], alone, rtol=0, atol=1e-5)


def test_empty_context_gives_zero_attention_then_the_projection_bias() -> None:
    block = random_mebt(replace(CONFIG, modes=("latent_enc", "latent_dec")), 5).blocks[0]
    assert isinstance(block, Block)
    s, nothing = torch.randn(2, 3, 12), torch.zeros(2, 0, 12)
    z = block.norm1(s) + block.projection.bias
    expected = z + block.contract(torch.nn.functional.gelu(block.expand(block.norm2(z))))
    torch.testing.assert_close(block.update(s, nothing), expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("mode", MODES)
def test_a_mode_changes_its_streams_only(mode: str) -> None:
    block = Block(12, 2, mode)
    before = (torch.randn(2, 3, 12), torch.randn(2, 5, 12), torch.randn(2, 4, 12))
    changed = [not torch.equal(a, b) for a, b in zip(before, block(*before), strict=True)]
    written = {"latent_dec": [False, False, True], "maskgit": [False, True, True]}
    assert changed == written.get(mode, [True, False, False])


def test_residual_is_the_normalised_query() -> None:
    block = Block(12, 2, "latent_self")
    s = torch.randn(2, 3, 12)
    torch.testing.assert_close(block.update(s, s), block.update(s * 7, s * 7), rtol=1e-3, atol=1e-3)


def test_a_window_further_on_has_the_positions_of_its_place(model: Mebt) -> None:
    tokens, context, target = torch.randint(11, (2, 12)), torch.arange(5).expand(2, 5), torch.arange(5, 12).expand(2, 7)
    padded = torch.cat([torch.zeros(2, 12, dtype=torch.int64), tokens], 1)
    expected = model(padded, context + 12, target + 12)
    torch.testing.assert_close(model(tokens, context, target, first=12), expected, rtol=0, atol=0)


def test_self_blocks_are_all_that_thinking_adds() -> None:
    more = [mode for mode in mebt_modes(3, 2, think=2) if mode != "latent_self"]
    assert more == [mode for mode in mebt_modes(3, 2) if mode != "latent_self"]
    assert mebt_modes(3, 2, think=2).count("latent_self") == 8


def test_the_curriculum_doubles_until_all_latent_frames_are_in() -> None:
    assert [reach(32, 4, p) for p in (0, 0.14, 0.16, 0.29, 0.31, 0.44, 0.46, 1)] == [4, 4, 8, 8, 16, 16, 32, 32]
    assert [reach(20, 4, p) for p in (0, 0.2, 0.4, 0.5)] == [4, 8, 16, 20]
    assert reach(32, 0, 0) == 32


def test_lengths_and_places_stay_inside_the_grid() -> None:
    random = np.random.default_rng(0)
    for longest in (1, 2, 4, 8, 32):
        lengths = {draw_length(longest, p, random) for p in np.linspace(0, 1, 300)}
        assert max(lengths) == longest and min(lengths) >= 1
        firsts = {draw_first(32, longest, random) for _ in range(300)}
        assert min(firsts) == 0 and max(firsts) <= 32 - longest


def test_split_is_a_partition() -> None:
    _, context, target = inputs(masked=7)
    assert context.shape[1] == 17
    assert torch.equal(torch.cat([context, target], 1).sort(1).values, torch.arange(24).expand(2, 24))
