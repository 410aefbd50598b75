"""Linked draws: each token as likely as before, together as alike as the law says; the measurement finds what is so."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from recipe.evaluate import links
from recipe.evaluate.links import describe, true_places
from recipe.fixtures.models import random_mebt
from recipe.links import codes_at, codes_from_dark_to_bright, link_of, linked_places
from recipe.mebt.model import MebtConfig, mebt_modes
from recipe.optim import save_checkpoint
from recipe.tokenizer.model import Stage, Tokenizer, TokenizerConfig

torch.set_num_threads(1)
GRID = (8, 4, 6)


def random_tokenizer() -> Tokenizer:
    torch.manual_seed(0)
    stages = (Stage(6, (2, 2, 2), 1, kernel=(1, 3, 3)), Stage(4, (2, 2, 2), 1, kernel=(1, 3, 3)))
    return Tokenizer(TokenizerConfig(12, 4, "none", stages, stages, 3)).eval()


def save(path: Path, model: nn.Module, config: dict[str, Any]) -> None:
    average = {name: p.detach() for name, p in model.named_parameters()}
    save_checkpoint(path, config=config, model=model.state_dict(), average=average)


def test_where_nothing_is_known_all_places_are_one() -> None:
    places = linked_places(GRID, 0, 50, torch.Generator().manual_seed(0))
    assert places.shape == (50, 192)
    assert torch.equal(places, places[:, :1].expand(-1, 192))
    assert len(places[:, 0].unique()) == 50


def test_places_are_uniform_and_as_alike_as_the_law_says() -> None:
    places = linked_places(GRID, 8, 4000, torch.Generator().manual_seed(0))
    spread = places[:, 77].sort().values
    assert (spread - (torch.arange(4000) + 0.5) / 4000).abs().max() < 1.95 / 4000**0.5  # Kolmogorov's bound
    numbers = torch.special.ndtri(places.double()).view(-1, *GRID)
    link = link_of(GRID, 8)
    pairs = {
        (1, 0, 0): (numbers[:, 1:], numbers[:, :-1]),
        (3, 0, 0): (numbers[:, 3:], numbers[:, :-3]),
        (0, 1, 0): (numbers[:, :, 1:], numbers[:, :, :-1]),
        (0, 0, 2): (numbers[..., 2:], numbers[..., :-2]),
        (1, 0, 1): (numbers[:, 1:, :, 1:], numbers[:, :-1, :, :-1]),
    }
    for apart, (a, b) in pairs.items():
        assert float((a * b).mean()) == pytest.approx(float(link.at(apart)), abs=0.015)


def test_codes_at_places_are_as_likely_as_before() -> None:
    likely = torch.tensor([0.0, 0.2, 0.0, 0.7, 0.1, 0.0])
    order = torch.tensor([5, 3, 0, 4, 1, 2])
    places = torch.tensor([1e-7, 0.69, 0.71, 0.79, 0.81, 1 - 1e-7])
    assert codes_at(likely.expand(6, 6), places, order).tolist() == [3, 3, 4, 4, 1, 1]
    many = codes_at(likely.expand(10_000, 6), torch.rand(10_000, generator=torch.Generator().manual_seed(0)), order)
    torch.testing.assert_close(many.bincount(minlength=6) / 10_000, likely, rtol=0, atol=0.015)


def test_codes_go_from_dark_to_bright() -> None:
    tokenizer = random_tokenizer()
    order = codes_from_dark_to_bright(tokenizer, at_once=3)
    assert order.sort().values.tolist() == list(range(tokenizer.config.codes))
    with torch.no_grad():
        clips = [tokenizer.decode_tokens(order[i].view(1, 1, 1, 1)).mean() for i in (0, len(order) // 2, -1)]
    assert clips[0] < clips[1] < clips[2]


def test_true_places_are_normal_where_the_model_is_right() -> None:
    generator = torch.Generator().manual_seed(0)
    likely = torch.rand(5000, 9, generator=generator).softmax(-1)
    truth = torch.multinomial(likely, 1, generator=generator).squeeze(1)
    numbers = true_places(likely, truth, torch.randperm(9, generator=generator), generator)
    assert float(numbers.mean()) == pytest.approx(0, abs=0.05)
    assert float(numbers.std()) == pytest.approx(1, abs=0.05)


def test_the_measurement_finds_the_links_of_linked_places() -> None:
    grid, clips = (4, 3, 5), 4000
    places = linked_places(grid, 8, clips, torch.Generator().manual_seed(0))
    numbers = torch.special.ndtri(places.double()).numpy()
    positions = np.tile(np.arange(60), (clips, 1))
    for cells in describe(numbers, positions, grid, 8).values():
        for cell in cells.values():
            if cell["pairs"] > 0:
                assert cell["measured"] == pytest.approx(cell["linked"], abs=0.02)


def test_a_file_of_tokens_is_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tokenizer = random_tokenizer()
    config = MebtConfig(
        vocabulary=tokenizer.config.codes, grid=(4, 4, 4), width=24, heads=2, latent_tokens=4, modes=mebt_modes(1, 1)
    )
    save(tmp_path / "mebt.pt", random_mebt(config, 1), config.to_json())
    save(tmp_path / "tokenizer.pt", tokenizer, tokenizer.config.to_json())
    np.save(tmp_path / "tokens.npy", np.random.default_rng(0).integers(0, tokenizer.config.codes, (3, 4, 4, 4)))
    names = ("mebt.pt", "tokenizer.pt", "tokens.npy")
    flags = [x for name in names for x in ("--" + name.split(".")[0], str(tmp_path / name))]
    monkeypatch.setattr(sys, "argv", ["links", *flags, "--out", str(tmp_path / "out")])
    links.main()
    report = json.loads((tmp_path / "out" / "links.json").read_text())
    assert set(report["known"]["8"]) == {"time", "height", "width"}
    assert (tmp_path / "out" / "links.md").read_text().count("| 8 |") == 3
