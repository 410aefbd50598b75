"""The rows that PyTorch gives the page's bench: counted as that counts, and timed after a warm-up."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from recipe import bench
from recipe.bench import OFFICIAL, Stopwatch, measure
from recipe.flops import forward_flops
from recipe.mebt.model import MEBTS

torch.set_num_threads(1)
CPU = torch.device("cpu")


@pytest.mark.parametrize(("tokens", "tera"), [(1024, 0.235), (8192, 1.054)])
def test_operations_of_the_official_model(tokens: int, tera: float) -> None:
    assert forward_flops(OFFICIAL, tokens // 2, tokens // 2) / 1e12 == pytest.approx(tera, abs=5e-4)


def test_targets_that_are_not_asked_for_spare_the_last_block_and_the_head() -> None:
    spared = (
        20 * OFFICIAL.width**2 + 4 * OFFICIAL.latent_tokens * OFFICIAL.width + 2 * OFFICIAL.width * OFFICIAL.vocabulary
    )
    assert forward_flops(OFFICIAL, 24, 1000) - forward_flops(OFFICIAL, 24, 1000, asked=100) == 900 * spared


def test_the_warm_up_does_not_count() -> None:
    calls: list[int] = []

    def work() -> Tensor:
        calls.append(len(calls))
        return torch.zeros(1)

    assert len(Stopwatch(CPU, seconds=0, runs=5).times(work)) == 1
    assert calls == [0, 1]
    assert len(Stopwatch(CPU, seconds=60, runs=5).times(work)) == 5


@pytest.mark.parametrize("case", ["forward-1024", "decode-16"])
def test_a_row_has_what_the_page_reads(case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    small = replace(MEBTS["sky-64"], width=12, heads=2, latent_tokens=4, vocabulary=8)
    monkeypatch.setitem(MEBTS, "sky-64", small)
    monkeypatch.setattr(bench, "SIDE", 2)
    row = measure(case, CPU, "float32", Stopwatch(CPU, seconds=0, runs=1))
    assert (row["case"], row["backend"], row["contender"], row["runs"]) == (case, "cpu", "pytorch", 1)
    assert row["ms"]["min"] <= row["ms"]["median"] <= row["ms"]["max"]
    assert row["bytes"] is None and "float32" in row["adapter"]
