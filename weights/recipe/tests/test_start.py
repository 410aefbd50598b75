"""Starting from another transformer: what must carry over does, and codes that look alike begin alike."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from recipe.fixtures.models import random_mebt
from recipe.mebt.model import Mebt, MebtConfig, grid_embedding, mebt_modes
from recipe.mebt.start import carried, continued, go_on_from, regress, resized, start_from
from recipe.tokenizer.model import Stage, Tokenizer, TokenizerConfig

torch.set_num_threads(1)
CONFIG = MebtConfig(vocabulary=60, grid=(2, 4, 4), width=72, heads=2, latent_tokens=4, modes=mebt_modes(1, 1))


def tokenizer(codes: int, stride: tuple[int, int, int]) -> Tokenizer:
    stages = (Stage(8, stride, 0, resample_kernel=(4, 4, 4)),)
    return Tokenizer(TokenizerConfig(codes, 6, "none", stages, stages, 8)).eval()


def test_blocks_stay_and_grids_are_interpolated() -> None:
    torch.manual_seed(0)
    other = random_mebt(CONFIG, 1)
    model = Mebt(replace(CONFIG, vocabulary=90, grid=(4, 4, 4), latent_tokens=8))
    start_from(model, tokenizer(90, (2, 4, 4)), other, tokenizer(60, (4, 2, 2)))
    for name, value in other.blocks.state_dict().items():
        assert torch.equal(model.blocks.state_dict()[name], value), name
    held = model.position_embedding.view(4, 16, 72)
    assert torch.allclose(held[0], other.position_embedding.view(2, 16, 72)[0])  # the border is repeated
    assert torch.allclose(held.mean(0), other.position_embedding.view(2, 16, 72).mean(0), atol=1e-5)
    assert torch.isfinite(
        model(torch.zeros(1, 64, dtype=torch.int64), *torch.arange(64).view(1, 64).split(32, 1))
    ).all()


def test_other_blocks_are_refused() -> None:
    with pytest.raises(ValueError, match="width and heads"):
        start_from(Mebt(replace(CONFIG, heads=4)), tokenizer(60, (2, 4, 4)), Mebt(CONFIG), tokenizer(60, (4, 2, 2)))
    with pytest.raises(ValueError, match="blocks must be"):
        go_on_from(Mebt(replace(CONFIG, modes=mebt_modes(1, 0))), Mebt(CONFIG))
    with pytest.raises(ValueError, match="what a latent token stands for"):
        go_on_from(Mebt(replace(CONFIG, grid=(4, 4, 4))), Mebt(CONFIG))


def logits_of(model: Mebt) -> torch.Tensor:
    context, target = torch.arange(model.config.positions).view(1, -1).split(model.config.positions // 2, 1)
    with torch.no_grad():
        result: torch.Tensor = model(torch.arange(model.config.positions).view(1, -1) % 60, context, target)
    return result


def test_more_blocks_change_nothing_at_first() -> None:
    other = random_mebt(CONFIG, 1)
    model = Mebt(replace(CONFIG, modes=mebt_modes(1, 1, think=3)))
    go_on_from(model, other)
    assert len(model.blocks) == len(other.blocks) + 4
    assert torch.allclose(logits_of(model), logits_of(other), atol=2e-4)


def test_a_longer_grid_begins_as_the_shorter_one_and_its_sines_go_on() -> None:
    other = Mebt(CONFIG)
    with torch.no_grad():
        other.position_embedding.add_(0.01 * torch.randn(32, 72))
    model = Mebt(replace(CONFIG, grid=(4, 4, 4), latent_tokens=8))
    go_on_from(model, other)
    assert torch.equal(model.position_embedding[:32], other.position_embedding)
    assert torch.equal(model.latent_tokens[:4], other.latent_tokens)
    learned = model.position_embedding - grid_embedding((4, 4, 4), 72)
    assert learned.abs().max() < 0.1
    stretched = resized(grid_embedding((2, 4, 4), 72), (2, 4, 4), (4, 4, 4))
    longer = continued(stretched, ((4, 4, 4), (4, 4, 4)), ((8, 4, 4), (8, 4, 4)))
    assert torch.allclose(
        longer[64:], resized(grid_embedding((4, 4, 4), 72), (4, 4, 4), (8, 4, 4))[64:], atol=0.7
    )  # a border is mirrored


def test_rows_follow_looks_and_keep_what_tells_codes_apart() -> None:
    torch.manual_seed(0)
    old, new = (torch.cat([torch.rand(n, 5), torch.ones(n, 1)], 1) for n in (400, 300))
    truth = torch.randn(6, 32)
    rows, explained = carried(old @ truth + 0.1 * torch.randn(400, 32), old, new, torch.randn(300, 4))
    assert explained > 0.95
    error = rows - new @ truth
    assert error.std() < 0.15
    assert torch.linalg.matrix_rank(rows, rtol=1e-4) > 6  # more than looks alone would give


def test_regression_tells_how_much_it_explains() -> None:
    torch.manual_seed(0)
    x = torch.cat([torch.randn(500, 3), torch.ones(500, 1)], 1)
    assert regress(x, torch.randn(500, 8))[1] < 0.1
    assert resized(torch.arange(4.0).view(4, 1), (4, 1, 1), (2, 1, 1)).flatten().tolist() == [0.5, 2.5]
