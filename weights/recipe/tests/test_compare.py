"""The comparison of families: equal parameters, operations by formula, a causal transformer that is one, one report."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from recipe.compare import __main__ as command
from recipe.compare.autoregressive import Autoregressive, AutoregressiveConfig, sample_autoregressive
from recipe.compare.generating import Sampling, cost_of_sample
from recipe.compare.training import Budget, Training, cut, load_variant, nats, train_variant
from recipe.compare.variants import FAMILIES, SIZES, Variant, make_variant, make_variants, parameters
from recipe.evaluate.labels import Target
from recipe.evaluate.network import Network, save_network
from recipe.flops import layer_flops
from recipe.mebt.batches import draw_step
from recipe.mebt.model import MebtConfig, mebt_modes
from recipe.optim import save_checkpoint
from recipe.tokenizer.model import TOKENIZERS, Tokenizer
from recipe.workers import Workers

torch.set_num_threads(1)
BASE = MebtConfig(vocabulary=8, grid=(4, 3, 4), width=24, heads=2, latent_tokens=4, modes=mebt_modes(1, 1))
WORKERS = Workers(0, 1, torch.device("cpu"))
CODES = torch.randn(8, 5, generator=torch.Generator().manual_seed(0))


def grids(count: int = 12, seed: int = 0) -> Tensor:
    """Each token is the one before it and one, or (in every second clip) less one: easy to learn either way."""
    start = torch.randint(8, (count, 1), generator=torch.Generator().manual_seed(seed))
    way = torch.tensor([1, -1]).repeat(count)[:count, None]
    return ((start + way * torch.arange(BASE.positions)) % 8).view(count, *BASE.grid)


def common(**changed: Any) -> Training:
    return replace(Training(grids(), grids(8, 1), CODES, WORKERS, batch=2, lr=2e-3), **changed)


@pytest.fixture(scope="module")
def causal() -> Autoregressive:
    torch.manual_seed(0)
    model = Autoregressive(AutoregressiveConfig(8, (4, 3, 4), 24, 2, 3))
    for block in model.causal_blocks():
        torch.nn.init.normal_(block.contract.weight, std=0.2)
    torch.nn.init.normal_(model.head.weight)
    return model.requires_grad_(False)


@pytest.mark.parametrize("size", SIZES)
def test_parameters_of_a_length_agree_within_three_percent(size: str) -> None:
    base = SIZES[size]
    for length in (base.grid[0] // 4, base.grid[0]):
        variants = make_variants(base, [length], curricula=(), latent_tokens=(32, 256))
        assert {variant.family for variant in variants} == set(FAMILIES)
        with torch.device("meta"):
            counts = [parameters(variant.build()) for variant in variants]
        assert max(counts) < 1.03 * min(counts)


def test_variants_are_named_apart_and_share_the_base() -> None:
    names = [v.name for v in make_variants(BASE, [1, 4], latent_tokens=(2, 4, 8))]
    assert len(set(names)) == len(names) == 6 + 2 + 2
    assert {"mebt-4-1", "dense-4", "autoregressive-1", "mebt-4-4-doubling", "mebt-8-4"} <= set(names)
    assert make_variants(BASE, [2], ("dense",)) == [make_variant(BASE, "dense", 2)]


@pytest.mark.parametrize("family", FAMILIES)
def test_operations_are_those_that_pytorch_counts(family: str) -> None:
    variant = make_variant(BASE, family, 4)
    model, step = variant.build(), draw_step(grids(), 3, 0.0, variant.plan(2, 0), WORKERS)
    tokens, context, target = step.tensors
    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        model(tokens, context, target).square().mean().backward()
    found = variant.step_flops(step)
    if family == "autoregressive":  # the plain attention computes the upper triangle, too
        n, depth = tokens.shape[1], len(BASE.modes)
        lower, whole = (layer_flops(24, n, n, pairs) for pairs in (n * (n + 1) // 2, n * n))
        found += 3 * 2 * depth * (whole - lower)
    assert counter.get_total_flops() == found


def test_autoregressive_logits_see_only_what_precedes(causal: Autoregressive) -> None:
    tokens = grids(2).flatten(1)
    everything = torch.arange(48).expand(2, 48)
    before = causal(tokens, everything[:, :0], everything)
    changed = tokens.clone()
    changed[:, 20:] = (changed[:, 20:] + 3) % 8
    after = causal(changed, everything[:, :0], everything)
    torch.testing.assert_close(after[:, :21], before[:, :21], rtol=0, atol=1e-5)
    assert float((after[:, 21] - before[:, 21]).abs().max()) > 0.01
    turned = causal(tokens, everything[:, :0], everything.flip(1))
    torch.testing.assert_close(turned.flip(1), before, rtol=0, atol=1e-5)


def test_a_block_is_pre_norm_as_the_pages(causal: Autoregressive) -> None:
    block, x = causal.causal_blocks()[0], torch.randn(1, 1, 24)
    z = x + block.projection(block.value(block.norm1(x)))  # one position looks at itself
    expected = z + block.contract(torch.nn.functional.gelu(block.expand(block.norm2(z))))
    torch.testing.assert_close(block.update(x, x), expected, rtol=0, atol=1e-5)


def test_steps_with_a_cache_are_the_whole_pass(causal: Autoregressive) -> None:
    tokens = grids(2).flatten(1)
    everything = torch.arange(48).expand(2, 48)
    expected, cache = causal(tokens, everything[:, :0], everything), causal.new_cache(2, 48)
    for i in range(48):
        logits = causal.step(tokens[:, i - 1] if i else None, i, cache)
        torch.testing.assert_close(logits, expected[:, i], rtol=0, atol=1e-4)


def test_autoregressive_samples_follow_the_chain(causal: Autoregressive) -> None:
    ids = sample_autoregressive(causal, 3, 2, seed=4)
    assert ids.shape == (3, 2, 3, 4)
    assert torch.equal(ids, sample_autoregressive(causal, 3, 2, seed=4))
    assert not torch.equal(ids, sample_autoregressive(causal, 3, 2, seed=5))
    likeliest = sample_autoregressive(causal, 1, 2, temperature=1e-4).flatten(1)
    places = torch.arange(24).expand(1, 24)
    assert torch.equal(causal(likeliest, places[:, :0], places).argmax(-1), likeliest)
    assert torch.equal(sample_autoregressive(causal, 1, 2, top_p=1e-6).flatten(1), likeliest)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_training_ends_at_its_operations_and_goes_on_after_a_stop(family: str, tmp_path: Path) -> None:
    variant = make_variant(BASE, family, 4)
    whole = train_variant(variant, tmp_path / "whole", common(), Budget(9e7, 60))
    train_variant(variant, tmp_path / "parts", common(), Budget(3e7, 60))
    resumed = train_variant(variant, tmp_path / "parts", common(), Budget(9e7, 60))
    assert 9e7 <= whole["teraflops"] * 1e12 < 1.25e8
    assert resumed["teraflops"] == pytest.approx(whole["teraflops"])
    assert resumed["steps"] == whole["steps"]
    again = train_variant(variant, tmp_path / "whole", common(), Budget(9e7, 60))
    assert again["steps"] == whole["steps"]


def test_the_autoregressive_one_learns(tmp_path: Path) -> None:
    variant = make_variant(BASE, "autoregressive", 4)
    train_variant(variant, tmp_path, common(batch=4, lr=1e-2), Budget(2e9, 60))
    model = load_variant(variant, tmp_path, WORKERS.device)
    assert nats(variant, model, cut(common().validation, 4))["nats"] < 1.5  # ln 8 = 2.08 at the start


def test_equal_time_is_the_processors(tmp_path: Path) -> None:
    facts = train_variant(make_variant(BASE, "mebt", 2), tmp_path, common(), Budget(0, 0.01))
    assert facts["minutes"] >= 0.01
    assert facts["steps"] > 1
    assert facts["teraflops"] > 0


def test_a_curriculum_starts_short_and_none_never_is() -> None:
    def lengths(curriculum: str) -> list[int]:
        plan = make_variant(BASE, "mebt", 4, curriculum).plan(2, 0)
        return [draw_step(grids(), i, i / 40, plan, WORKERS).latent_frames for i in range(40)]

    assert set(lengths("none")) == {4}
    assert set(lengths("mixed")[:10]) == {2, 4}
    assert max(lengths("doubling")[:8]) < 4 == lengths("doubling")[-1]


@pytest.mark.parametrize("family", FAMILIES)
def test_nats_of_a_network_that_knows_nothing(family: str) -> None:
    variant = make_variant(BASE, family, 2)
    model = variant.build()
    torch.nn.init.zeros_(model.head.weight)
    clips = cut(grids(), 2)
    assert clips.shape == (24, 24)
    assert nats(variant, model, clips)["nats"] == pytest.approx(np.log(8), abs=1e-3)


def test_calls_and_operations_of_a_sample() -> None:
    sampling = Sampling(steps=4, choice_temperature=1.0, seed=0, batch=2)
    costs = {f: cost_of_sample(v, v.build(), sampling) for f in FAMILIES for v in [make_variant(BASE, f, 4)]}
    assert costs["mebt"]["calls"] == costs["dense"]["calls"] == 4
    assert costs["autoregressive"]["calls"] == 48
    assert costs["dense"]["flops"] > costs["autoregressive"]["flops"]
    dense = make_variant(BASE, "dense", 4)
    assert dense.pass_flops(0, 48) > costs["dense"]["flops"] / 4 > dense.pass_flops(47, 1)
    mebt = make_variant(BASE, "mebt", 4)
    spread = cost_of_sample(mebt, mebt.build(), replace(sampling, order="spread"))
    assert spread["calls"] == 4
    assert spread["flops"] < 0.9 * costs["mebt"]["flops"]


def write_inputs(folder: Path, tokens: Tensor) -> None:
    """Token files, and a tokenizer that is sky-64's but for its channels."""
    config = TOKENIZERS["sky-64"]
    decoder, encoder = (tuple(replace(s, channels=4) for s in side) for side in (config.decoder, config.encoder))
    config = replace(config, codes=16, decoder=decoder, encoder=encoder)
    tokenizer = Tokenizer(config)
    average = {name: p.detach() for name, p in tokenizer.named_parameters()}
    state = tokenizer.state_dict()
    save_checkpoint(folder / "tokenizer.pt", config=config.to_json(), model=state, average=average)
    for name in ("a", "b", "v"):
        np.save(folder / f"{name}.npy", tokens.to(torch.int16).numpy())


def run(folder: Path, monkeypatch: pytest.MonkeyPatch, *options: str) -> dict[str, Any]:
    monkeypatch.chdir(folder)
    files = ["--train", "a.npy", "b.npy", "--validation", "v.npy", "--tokenizer", "tokenizer.pt", "--out", "out"]
    monkeypatch.setattr(sys, "argv", ["compare", *files, *options])
    command.main()
    found: dict[str, Any] = json.loads((folder / "out/comparison.json").read_text())
    return found


def test_the_command_writes_one_report_in_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_inputs(tmp_path, grids()[:, :, :2, :2])
    monkeypatch.setitem(SIZES, "small", BASE)
    asked = [
        "--size",
        "small",
        "--petaflops",
        "2e-8",
        "--frames",
        "8",
        "32",
        "--latent-tokens",
        "2",
        "4",
        "--curricula",
        "doubling",
        "--steps",
        "3",
    ]
    some = ["--count", "3", "--sample-batch", "2", "--repeats", "1", "--likelihood-clips", "6"]
    first = run(tmp_path, monkeypatch, *asked, *some, "--parts", "train", "--only", "dense-1", "mebt-4-4")
    assert set(first["variants"]) == {"dense-1", "mebt-4-4"}
    parts = ("--parts", "train", "likelihood", "time", "sample")
    report = run(tmp_path, monkeypatch, *asked, *some, *parts)
    assert len(report["variants"]) == 8
    for name, row in report["variants"].items():
        assert row["training"]["teraflops"] >= 2e-5, name
        assert row["likelihood"]["nats"] > 0
        assert row["sampling"]["seconds"] > 0
        clips = np.load(tmp_path / "out" / name / "clips/clips.npy")
        assert clips.shape == (3, 8 * row["latent_frames"], 8, 8, 3)
    assert report["variants"]["dense-1"]["training"]["steps"] == first["variants"]["dense-1"]["training"]["steps"]
    text = (tmp_path / "out/comparison.md").read_text()
    assert "### Families, 8 frames (4 tokens)" in text
    assert "### Curriculum" in text and "### Latent tokens" in text
    assert "| nats a token | at 0.125 masked | at 0.5 masked |" in text
    with pytest.raises(ValueError, match="name another --out"):
        run(tmp_path, monkeypatch, *asked, "--lr", "1e-3")
    with pytest.raises(ValueError, match="multiples of 8"):
        run(tmp_path, monkeypatch, "--size", "small", "--frames", "12")
    with pytest.raises(ValueError, match="the variants are mebt-4-1"):
        run(tmp_path, monkeypatch, *asked, "--only", "nobody")


def test_samples_are_measured_against_held_out_clips(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_inputs(tmp_path, torch.randint(16, (9, 2, 8, 8)))
    random = np.random.default_rng(0)
    np.save(tmp_path / "test.npy", random.integers(256, size=(12, 32, 32, 32, 3), dtype=np.uint8))
    save_network(Network([Target("hour", "choice", ("day", "night"))]).eval(), tmp_path / "network.pt")
    monkeypatch.setitem(SIZES, "small", BASE)
    asked = ["--size", "small", "--petaflops", "2e-8", "--frames", "16", "--families", "mebt", "--curricula", "none"]
    some = ["--latent-tokens", "2", "--count", "8", "--steps", "2", "--parts", "train", "sample", "evaluate"]
    against = ["--network", "network.pt", "--test", "test.npy"]
    report = run(tmp_path, monkeypatch, *asked, *some, *against)
    assert set(report["variants"]) == {"mebt-4-2", "mebt-2-2"}
    for row in (*report["variants"].values(), report["references"]["2"]["held-out tokens, decoded"]):
        assert row["clips"]["clips"] == 8
        assert row["clips"]["distance"]["frechet"] > 0 and row["clips"]["floor"]["frechet"] > 0
    assert report["references"]["2"]["held-out clips"]["clips"]["clips"] == 24  # pieces of 16 frames
    lines = (tmp_path / "out/comparison.md").read_text().splitlines()
    head = next(line for line in lines if "Fréchet" in line)
    cells = next(line for line in lines if line.startswith("| MeBT, 4 latent tokens | 8 |"))
    assert len(head.split("|")) == len(cells.split("|"))


def test_a_corner_of_the_pictures_is_compared_with_that_of_the_clips(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_inputs(tmp_path, torch.randint(16, (9, 2, 16, 16)))
    random = np.random.default_rng(0)
    clips = random.integers(256, size=(12, 16, 64, 64, 3), dtype=np.uint8)
    save_network(Network([Target("hour", "choice", ("day", "night"))]).eval(), tmp_path / "network.pt")
    monkeypatch.setitem(SIZES, "small", BASE)
    asked = ["--size", "small", "--petaflops", "2e-8", "--frames", "16", "--families", "mebt", "--curricula", "none"]
    some = [
        "--latent-tokens",
        "--count",
        "8",
        "--steps",
        "2",
        "--corner",
        "8",
        "--parts",
        "train",
        "sample",
        "evaluate",
    ]
    against = ["--network", "network.pt", "--test", "test.npy"]
    found = []
    for part in ("all", "lower left"):
        np.save(tmp_path / "test.npy", clips if part == "all" else clips[:, :, 32:, :32])
        found.append(run(tmp_path, monkeypatch, *asked, *some, *against))
    row = found[0]["variants"]["mebt-4-2"]
    assert row["tokens"] == 2 * 8 * 8
    assert np.load(tmp_path / "out/mebt-4-2/clips/clips.npy").shape == (8, 16, 32, 32, 3)
    assert row["clips"]["distance"] == found[1]["variants"]["mebt-4-2"]["clips"]["distance"]


def test_held_out_clips_are_cut_to_the_length() -> None:
    clips = np.arange(2 * 5 * 3, dtype=np.uint8).reshape(2, 5, 1, 1, 3)
    pieces = command.windows(clips, 2)
    assert pieces.shape == (4, 2, 1, 1, 3)
    assert np.array_equal(pieces[2], clips[1, :2])


def test_a_variant_says_what_it_is() -> None:
    found = json.loads(json.dumps(make_variant(BASE, "autoregressive", 2).to_json()))
    assert found["name"] == "autoregressive-2"
    assert found["config"]["depth"] == len(BASE.modes)
    assert isinstance(make_variant(BASE, "mebt", 2), Variant)
