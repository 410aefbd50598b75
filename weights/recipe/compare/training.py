"""Trains a variant within the budget that all have, and measures its held-out likelihood."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..flops import TRAINING
from ..mebt.batches import draw_step, split_positions
from ..mebt.loss import held_out, loss_of
from ..mebt.model import Mebt
from ..mebt.train import compile_blocks, optimize, train
from ..optim import Run, restore_averaged
from ..workers import Workers
from .variants import Model, Variant

PART = 4  # clips of a pass of the likelihood


@dataclass(frozen=True)
class Budget:
    """Equal for all variants: operations; where `flops` is 0, minutes of this process on its threads."""

    flops: float
    minutes: float


@dataclass(frozen=True)
class Training:
    """What is the same for all variants."""

    grids: Tensor  # [N, T', H', W']
    validation: Tensor  # [M, T', H', W']
    codes: Tensor  # [V, D], the tokenizer's
    workers: Workers
    batch: int  # clips of the longest length; shorter ones are more, as many tokens
    lr: float
    seed: int = 0
    compiled: bool = False


def processor_time(device: torch.device) -> Callable[[], float]:
    """Seconds that this process computed: of all its threads, over their number, so that other programs do not count.
    With a GPU, which it has to itself, those of the wall clock."""
    if device.type == "cuda":
        return time.monotonic
    return lambda: time.process_time() / torch.get_num_threads()


def start(variant: Variant, common: Training) -> Model:
    torch.manual_seed(common.seed)
    model = variant.build()
    model.start_from_codebook(common.codes)
    return model.to(common.workers.device)


def clips_of_batch(variant: Variant, common: Training) -> int:
    return max(1, round(common.batch * common.grids.shape[1] / variant.latent_frames))


def expected_steps(variant: Variant, common: Training, budget: Budget) -> int:
    """About; 200 where the budget is time. Some families have so few that a fixed warm-up would be all of them."""
    if not budget.flops:
        return 200
    half = variant.config.positions // 2
    step = TRAINING * clips_of_batch(variant, common) * variant.pass_flops(half, variant.config.positions - half)
    return max(1, round(budget.flops / step))


def train_variant(variant: Variant, folder: Path, common: Training, budget: Budget) -> dict[str, Any]:
    """Until the budget is used up; an interrupted training goes on. -> what was spent."""
    folder.mkdir(parents=True, exist_ok=True)
    model, workers = start(variant, common), common.workers
    paths, now = (folder / "model.pt", folder / "log.jsonl"), processor_time(workers.device)
    parts = optimize(model, common.lr)
    config = variant.config.to_json()
    run = Run(*paths, model, config, parts, budget.minutes, workers, budget=budget.flops, now=now)
    if common.compiled:
        compile_blocks(model.blocks)
    if run.progress() < 1:
        some = cut(common.validation[: 2 * PART], variant.latent_frames)[: 2 * PART]
        plan = variant.plan(clips_of_batch(variant, common), common.seed)
        steps = expected_steps(variant, common, budget)
        save, warmup = (max(1, min(most, steps // part)) for most, part in ((500, 8), (40, 20)))
        train(run, common.grids, plan, lambda: nats(variant, model, some), save, warmup, variant.step_flops)
    return {"steps": run.step, "teraflops": run.flops / 1e12, "minutes": run.clock.used / 60}


def load_variant(variant: Variant, folder: Path, device: torch.device) -> Model:
    model = variant.build()
    restore_averaged(model, torch.load(folder / "model.pt", weights_only=True, map_location="cpu"))
    return model.to(device)


def cut(grids: Tensor, frames: int) -> Tensor:
    """[N, T', H', W'] -> every clip as pieces of `frames` latent frames, one a row, [n, frames * H' * W']."""
    pieces = grids.shape[1] // frames
    return grids[:, : pieces * frames].unflatten(1, (pieces, frames)).flatten(0, 1).flatten(1)


@torch.no_grad()
def nats(variant: Variant, model: Model, clips: Tensor) -> dict[str, float]:
    """Nats a token of whole clips [N, positions].

    The chain of an autoregressive transformer gives them exactly. A masked one gives a bound: the mean over all numbers
    of masked tokens of what the masked ones cost is -log p(clip) / N of decoding token by token in a random order
    (Uria et al. 2014), from which a mixture of orders can but gain. Here every pass takes its own share of masked
    tokens, evenly spaced over the clips, the same for all variants.
    """
    total, parts = 0.0, clips.split(PART)
    generator = torch.Generator().manual_seed(1)
    turns = torch.randperm(len(parts), generator=generator).tolist()
    device = model.position_embedding.device
    for turn, part in zip(turns, parts, strict=True):
        masked = part.shape[1]
        if variant.family != "autoregressive":
            masked = max(1, round((turn + 0.5) / len(parts) * masked))
        context, target = split_positions(len(part), part.shape[1], masked, generator)
        total += loss_of(model, part.to(device), context.to(device), target.to(device)).item() * len(part)
    return {"nats": total / len(clips)}


def likelihood(variant: Variant, model: Model, validation: Tensor, clips: int) -> dict[str, Any]:
    """On `clips` held-out clips of the variant's length; of masked families also at fixed shares of masked tokens."""
    some = cut(validation, variant.latent_frames)
    some = some[torch.randperm(len(some), generator=torch.Generator().manual_seed(2))[:clips]]
    facts: dict[str, Any] = {"clips": len(some), "exact": variant.family == "autoregressive"}
    facts |= nats(variant, model, some)
    if isinstance(model, Mebt):
        facts |= {f"nll_{share}": nats for share, nats in held_out(model, some[: 4 * PART]).items()}
    return facts


def speed(variant: Variant, common: Training, steps: int = 3) -> float:
    """Operations a second of training, after a first step; to turn minutes into a budget of operations."""
    model = start(variant, common)
    optimizer, _ = optimize(model, common.lr)
    plan, flops, began = variant.plan(clips_of_batch(variant, common), common.seed), 0, 0.0
    for i in range(steps + 1):
        if i == 1:
            began = time.monotonic()
        step = draw_step(common.grids, i, 0.0, plan, common.workers)
        tokens, context, target = (t.to(common.workers.device) for t in step.tensors)
        loss = loss_of(model, tokens, context, target, step.first)
        loss.backward()
        optimizer.step(0.01)
        loss.item()
        flops += variant.step_flops(step) if i else 0
    return flops / (time.monotonic() - began)
