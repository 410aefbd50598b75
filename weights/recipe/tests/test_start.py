"""Starting from another transformer: what must carry over does, and codes that look alike begin alike."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from recipe.fixtures.models import random_mebt
from recipe.mebt.model import Mebt, MebtConfig, mebt_modes
from recipe.mebt.start import carried, regress, resized, start_from
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
    with pytest.raises(ValueError, match="width, heads and blocks"):
        start_from(Mebt(replace(CONFIG, heads=4)), tokenizer(60, (2, 4, 4)), Mebt(CONFIG), tokenizer(60, (4, 2, 2)))


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
