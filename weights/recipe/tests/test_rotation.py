"""Turned values: the same transformer, without outliers in its weights."""

from __future__ import annotations

import copy

import torch

from recipe.fixtures.models import random_mebt
from recipe.manifest import quantize_int8
from recipe.mebt.model import Block, Mebt, MebtConfig
from recipe.quantized import quantized
from recipe.rotation import hadamard, turn

MODES = ("latent_enc", "latent_self", "latent_enc", "latent_dec", "lt2l", "latent_dec")


def trained(width: int, heads: int) -> Mebt:
    """As training leaves it: values and projections near the identity."""
    return Mebt(MebtConfig(32, (2, 4, 4), width, heads, 8, MODES)).requires_grad_(False).eval()


def turned(model: Mebt) -> Mebt:
    model = copy.deepcopy(model)
    turn(model)
    return model


def logits(model: Mebt) -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    tokens = torch.randint(0, model.config.vocabulary, (1, 32), generator=generator)
    order = torch.randperm(32, generator=generator).unsqueeze(0)
    with torch.no_grad():
        result: torch.Tensor = model(tokens, order[:, :12], order[:, 12:])
    return result


def test_hadamard_is_orthogonal_with_entries_of_one_size() -> None:
    matrix = hadamard(8)
    assert torch.equal((matrix @ matrix.t()).round(decimals=12), torch.eye(8, dtype=torch.float64))
    assert torch.equal(matrix, matrix.t())
    assert len(matrix.abs().unique()) == 1


def test_turning_changes_no_logit() -> None:
    """Also where a head's width is no power of two (6), and with random biases and norms."""
    config = MebtConfig(9, (2, 4, 4), 12, 2, 4, MODES)
    for model in (random_mebt(config, 1), trained(64, 4)):
        expected = logits(model)
        assert (logits(turned(model)) - expected).abs().max() < 2e-5 * expected.abs().max()


def rounding(model: Mebt, name: str) -> float:
    block = model.blocks[0]
    assert isinstance(block, Block)
    weight = getattr(block, name).weight.detach().t().contiguous()
    values, scale = quantize_int8(weight.numpy())
    return float((torch.from_numpy(values * scale) - weight).norm() / weight.norm())


def test_turning_takes_the_outliers_out_of_values_and_projections() -> None:
    torch.manual_seed(1)
    model = trained(256, 8)
    for name in ("value", "projection"):
        assert rounding(turned(model), name) < rounding(model, name) / 2


def test_weights_as_the_page_gets_them_give_nearly_the_same_logits() -> None:
    torch.manual_seed(1)
    model = trained(64, 4)
    torch.nn.init.normal_(model.head.weight)
    expected = logits(model)
    off = {
        kind: float((logits(quantized(model, kind)) - expected).norm() / expected.norm()) for kind in ("int8", "int4")
    }
    assert off["int8"] < 0.02
    assert off["int8"] * 4 < off["int4"] < 0.4
