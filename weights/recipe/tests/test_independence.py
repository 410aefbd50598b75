"""The independence cost of schedules: exact on a process whose tokens' nats are known, and never below the best."""

from __future__ import annotations

import json
import sys
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
import torch

from recipe.evaluate import independence
from recipe.evaluate.independence import Curve, ends_of, known_counts, nats_of_next
from recipe.mebt.model import Mebt, MebtConfig, mebt_modes
from recipe.optim import save_checkpoint
from recipe.schedules import SCHEDULES

torch.set_num_threads(1)
CONFIG = MebtConfig(vocabulary=8, grid=(4, 4, 4), width=24, heads=2, latent_tokens=4, modes=mebt_modes(1, 1))


def test_copies_of_one_token_cost_what_they_repeat() -> None:
    """N tokens that are all the same: the first has ln 8 nats, the others none."""
    curve = Curve({0: float(np.log(8)), 1: 0.0}, 16)
    assert curve.least == pytest.approx(np.log(8))
    assert curve.cost([16]) == pytest.approx(15 * np.log(8))
    assert curve.cost([4, 16]) == pytest.approx(3 * np.log(8))
    assert curve.cost([1, 16]) == pytest.approx(0)
    assert curve.best(2) == [1, 16]


def test_independent_tokens_cost_nothing() -> None:
    curve = Curve({0: 2.0, 1: 2.0, 4: 2.0}, 16)
    assert all(curve.cost(ends_of(name, 1, 16)) == pytest.approx(0) for name in SCHEDULES)


def test_the_best_is_what_trying_all_finds() -> None:
    curve = Curve({0: 3.0, 1: 2.2, 2: 1.9, 4: 1.1, 8: 0.7}, 12)
    tried = {(*ends, 12): curve.cost([*ends, 12]) for ends in combinations(range(1, 12), 2)}
    assert curve.cost(curve.best(3)) == pytest.approx(min(tried.values()))


@pytest.mark.parametrize("steps", [1, 3, 8, 16])
def test_no_schedule_is_cheaper_than_the_best(steps: int) -> None:
    curve = Curve({0: 7.0, 1: 5.8, 8: 5.3, 64: 4.4, 512: 3.6}, 1024)
    best = curve.best(steps)
    assert len(best) == steps and best[-1] == 1024 and best == sorted(best)
    for name in SCHEDULES:
        assert curve.cost(best) <= curve.cost(ends_of(name, steps, 1024)) * 1.02  # knots are not all numbers
    assert curve.cost(best) >= 0


@pytest.mark.parametrize("order", ["random", "spread"])
def test_a_network_that_knows_nothing_has_a_flat_curve(order: str) -> None:
    torch.manual_seed(0)
    model = Mebt(CONFIG)
    torch.nn.init.zeros_(model.head.weight)
    found = nats_of_next(model, torch.randint(8, (2, 4, 4, 4)), order)
    assert list(found) == known_counts(64) == [0, 1, 2, 4, 8, 16, 32, 48]
    assert list(found.values()) == pytest.approx([np.log(8)] * 8, abs=1e-4)


def test_the_command_writes_a_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = Mebt(CONFIG)
    average = {name: p.detach() for name, p in model.named_parameters()}
    save_checkpoint(tmp_path / "mebt.pt", config=CONFIG.to_json(), model=model.state_dict(), average=average)
    np.save(tmp_path / "tokens.npy", np.random.default_rng(0).integers(8, size=(3, 4, 4, 4), dtype=np.int16))
    monkeypatch.chdir(tmp_path)
    files = ["--mebt", "mebt.pt", "--tokens", "tokens.npy", "--out", "out"]
    monkeypatch.setattr(sys, "argv", ["independence", *files, "--clips", "2", "--orders", "random", "spread"])
    independence.main()
    report = json.loads((tmp_path / "out/independence.json").read_text())
    assert report["clips"] == 2 and set(report["orders"]) == {"random", "spread"}
    lines = (tmp_path / "out/independence.md").read_text().splitlines()
    assert sum(line.startswith("| best |") for line in lines) == 2
    assert len({len(line.split("|")) for line in lines if line}) == 1
