"""Sampling: every token is decided, and by the model."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from recipe import sampling
from recipe.fixtures import runs
from recipe.fixtures.models import random_mebt
from recipe.fixtures.runs import Filter, Recorder, draft_and_revise, maskgit, probabilities
from recipe.mebt.model import Mebt, MebtConfig, mebt_modes
from recipe.sampling import draw_codes, nucleus, sample_tokens, spread_order
from recipe.schedules import SCHEDULES, masked_count, progress

torch.set_num_threads(1)
CONFIG = MebtConfig(vocabulary=7, grid=(3, 2, 4), width=12, heads=2, latent_tokens=4, modes=mebt_modes(1, 1))


class Follower(Mebt):
    """Predicts for each position the code that is its number modulo the vocabulary, and counts its passes."""

    def __init__(self) -> None:
        super().__init__(CONFIG)
        self.head = torch.nn.Identity()  # type: ignore[assignment]
        self.passes: list[tuple[int, int]] = []
        self.masked: list[int] = []

    def hidden(
        self,
        tokens: Tensor,
        context: Tensor,
        target: Tensor,
        first: int = 0,
        stands_for: float = 1.0,
        asked: int | None = None,
        scene: Tensor | None = None,
    ) -> Tensor:
        positions = torch.cat([context, target], 1)
        assert all(len(set(row)) == len(row) for row in positions.tolist())
        self.passes.append((context.shape[1], target.shape[1]))
        self.masked.append(round(target.shape[1] * stands_for))
        known = tokens.gather(1, context)
        assert torch.equal(known, context % CONFIG.vocabulary)
        return torch.nn.functional.one_hot(target[:, :asked] % CONFIG.vocabulary, CONFIG.vocabulary).float() * 50


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"bootstrap": 5},
        {"revise": 2},
        {"top_k": 3, "bootstrap": 2, "revise": 1},
        {"schedule": "cube"},
        {"order": "spread"},
        {"order": "spread", "targets": 5},
        {"order": "spread", "targets": 5, "guidance": 0.7, "guidance_from": 0.25},
        {"revise": 2, "guidance": 0.7},
    ],
)
def test_every_token_is_decided(options: dict[str, Any]) -> None:
    model = Follower()
    ids = sample_tokens(model, 2, 3, 6, 4.0, **options)
    assert torch.equal(ids.flatten(1), torch.arange(24).expand(2, 24) % CONFIG.vocabulary)
    contexts = [context for context, _ in model.passes][: len(model.passes) - 2 * options.get("revise", 0)]
    if options.get("guidance"):
        contexts = [contexts[0], *filter(None, contexts[1:])]  # without the pass that guides
    assert contexts == sorted(contexts)
    assert contexts[0] == 0


@pytest.mark.parametrize("schedule", ["cosine", "cube", "quartic"])
def test_a_step_leaves_masked_what_its_schedule_says(schedule: str) -> None:
    model = Follower()
    sample_tokens(model, 1, 3, 6, 4.0, schedule=schedule)
    assert [target for _, target in model.passes] == [24, *(masked_count(schedule, t, 24) for t in progress(6)[:-1])]


def test_few_masked_tokens_are_read_in_the_place_of_all() -> None:
    model = Follower()
    sample_tokens(model, 2, 3, 6, 4.0, order="spread", targets=5)
    known = [context for context, _ in model.passes]
    drawn = [after - before for before, after in zip(known, [*known[1:], 24], strict=True)]
    assert [read for _, read in model.passes] == [min(24 - k, max(d, 5)) for k, d in zip(known, drawn, strict=True)]
    assert min(drawn) < 5 < max(drawn)
    assert model.masked == [24 - k for k in known]


def test_the_least_likely_are_not_drawn_below_top_p() -> None:
    kept = nucleus(torch.tensor([[0.5, 0.05, 0.3, 0.15]]), 0.7)
    assert torch.allclose(kept, torch.tensor([[0.625, 0.0, 0.375, 0.0]]))
    wide = torch.rand(3, 5, 40, generator=torch.Generator().manual_seed(0)).softmax(-1)
    assert torch.equal(nucleus(wide, 0.9, few=4), nucleus(wide, 0.9, few=40))
    assert int((nucleus(wide, 0.9, few=4) > 0).sum(-1).min()) > 30


def test_top_p_holds_from_a_share_of_known_tokens_on(monkeypatch: pytest.MonkeyPatch) -> None:
    cut: list[int] = []
    model = Follower()

    def counted(probabilities: Tensor, share: float) -> Tensor:
        cut.append(model.passes[-1][0])
        return nucleus(probabilities, share)

    monkeypatch.setattr(sampling, "nucleus", counted)
    sample_tokens(model, 1, 3, 6, 4.0, order="spread", schedule="quartic", top_p=0.9, top_p_from=0.25)
    known = [context for context, _ in model.passes]
    assert cut == [context for context in known if context >= 6] and 0 < len(cut) < len(known)
    cut.clear()
    sample_tokens(model, 1, 3, 6, 4.0, order="spread", schedule="quartic", top_p=0.9, bootstrap=7)
    assert cut and min(cut) == 7  # single random tokens are drawn from all codes, as in the page's engine


def test_guidance_stresses_what_the_known_tokens_say(monkeypatch: pytest.MonkeyPatch) -> None:
    model = random_mebt(CONFIG, 1)
    n = 24
    seen: list[Tensor] = []

    def drawn(probabilities: Tensor, generator: torch.Generator) -> Tensor:
        seen.append(probabilities)
        return draw_codes(probabilities, generator)

    monkeypatch.setattr(sampling, "draw_codes", drawn)
    turns = spread_order(CONFIG.grid, torch.rand(3, generator=torch.Generator().manual_seed(3)).double().tolist())
    monkeypatch.setattr(sampling, "spread_order", lambda grid, shift: turns)
    final = sample_tokens(
        model, 1, 3, 6, 4.0, seed=3, order="spread", schedule="quartic", guidance=2, guidance_from=0.25
    ).view(1, n)

    def predicted(context: Tensor, target: Tensor, asked: int) -> Tensor:
        with torch.autocast("cpu", torch.bfloat16):
            found: Tensor = model(final, context, target, asked=asked)
        return found.float().log_softmax(-1)

    everywhere = torch.arange(n)[None]
    nothing = predicted(everywhere[:, :0], everywhere, n)
    known, stressed = 0, 0.0
    for found in seen:
        context, target = turns[None, :known], turns[None, known:]
        asked = found.shape[1]
        plain = predicted(context, target, asked)
        there = nothing.gather(1, target[:, :asked, None].expand_as(plain))
        want = (plain + 2 * (plain - there) if known >= 6 else plain).softmax(-1)
        stressed = max(stressed, float((want - plain.softmax(-1)).abs().max()))
        torch.testing.assert_close(found, want, atol=0.02, rtol=0)  # bfloat16
        known += asked
    assert known == n and stressed > 0.1


def test_single_tokens_are_not_guided_and_revisions_are() -> None:
    model = Follower()
    sample_tokens(model, 1, 3, 6, 4.0, bootstrap=5, revise=1, guidance=0.7, guidance_from=0.9)
    guiding = [i for i, (context, target) in enumerate(model.passes) if context == 0 and target == 24]
    assert len(guiding) == 1 and [context for context, _ in model.passes[guiding[0] - 1 :]] == [12, 0, 12]


def test_a_spread_order_has_every_token_once_and_fills_rows_and_columns_first() -> None:
    grid = (32, 16, 16)
    order = spread_order(grid, (0.3, 0.9, 0.1))
    assert torch.equal(order.sort().values, torch.arange(8192))
    first = order[:256]
    assert len(set((first % 256).tolist())) > 175  # places of the picture: 162 of 256 at random
    assert (first // 256).bincount(minlength=32).max() <= 11
    assert not torch.equal(first, spread_order(grid, (0.3, 0.9, 0.2))[:256])
    assert spread_order((1, 2, 3), (0, 0, 0)).sort().values.tolist() == list(range(6))


def test_fewer_latent_frames_than_trained() -> None:
    assert sample_tokens(Follower(), 1, 2, 4, 1.0).shape == (1, 2, 2, 4)


def test_a_seed_gives_one_sample() -> None:
    model = random_mebt(CONFIG, 1)
    first, again, other = (sample_tokens(model, 2, 3, 4, 2.0, seed=seed) for seed in (3, 3, 4))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_samples_follow_the_probabilities() -> None:
    logits = torch.tensor([0.0, 1.0, 2.0]).expand(20_000, 3)
    likely, _ = probabilities(logits, Filter())
    noise = torch.empty_like(likely).exponential_(generator=torch.Generator().manual_seed(0))
    share = (likely / noise).argmax(-1).bincount(minlength=3) / len(logits)
    torch.testing.assert_close(share, likely[0], rtol=0, atol=0.015)


def test_codes_are_drawn_as_often_as_they_are_likely() -> None:
    likely = torch.tensor([0.0, 0.2, 0.0, 0.7, 0.1, 0.0]).expand(2, 10_000, 6)
    drawn = draw_codes(likely, torch.Generator().manual_seed(0))
    assert drawn.shape == (2, 10_000)
    share = drawn.flatten().bincount(minlength=6) / 20_000
    torch.testing.assert_close(share, likely[0, 0], rtol=0, atol=0.012)
    assert share[[0, 2, 5]].sum() == 0


def test_top_k_and_top_p_cut() -> None:
    logits = torch.tensor([[3.0, 2.0, 1.0, 0.0]])
    assert int((probabilities(logits, Filter(top_k=2))[0] > 0).sum()) == 2
    whole = logits.softmax(-1)[0]
    assert whole[0] < 0.8 < whole[0] + whole[1]
    kept = probabilities(logits, Filter(top_p=0.8))[0][0]
    torch.testing.assert_close(kept, torch.tensor([whole[0], whole[1], 0, 0]) / (whole[0] + whole[1]))


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_schedules_fall_to_nothing(schedule: str) -> None:
    counts = [masked_count(schedule, t, 1000) for t in progress(16)]
    assert counts == sorted(counts, reverse=True)
    assert counts[0] > counts[8] > counts[-1]
    assert counts[-1] == 0


def test_recorded_runs_decide_every_token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runs, "NARROWEST", dict.fromkeys(runs.NARROWEST, 0.0))
    model = Follower()
    recorder = Recorder(model, torch.zeros(1, 24, dtype=torch.int64), 5)
    final = maskgit(recorder, Filter(), 4, 2.0, "cosine")
    assert torch.equal(final["final_tokens"], torch.arange(24)[None] % 7)
    assert final["final_context"].sort(1).values.tolist() == [list(range(24))]
    recorder = Recorder(model, torch.zeros(2, 24, dtype=torch.int64), 5)
    assert draft_and_revise(recorder, Filter(), 4, Filter(0.7), 3, 2)["randperm"].shape == (6, 24)
    assert len(recorder.steps) == 4 + 2 * 3
    assert torch.equal(recorder.tokens, torch.arange(24).expand(2, 24) % 7)
