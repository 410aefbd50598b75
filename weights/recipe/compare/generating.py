"""Samples of the variants: clips in the folders that recipe.evaluate reads, and what a sample costs, side by side."""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..evaluate.clips import ClipWriter
from ..evaluate.sample import as_uint8
from ..mebt.model import Mebt
from ..sampling import sample_tokens
from ..tokenizer.model import Tokenizer
from .autoregressive import sample_autoregressive
from .training import processor_time
from .variants import Model, Variant


@dataclass(frozen=True)
class Sampling:
    """Of masked families, but for seed, batch and top-p. The autoregressive one has a step a token."""

    steps: int
    choice_temperature: float
    seed: int
    batch: int  # clips that are sampled at once, for the distances; times are of single clips
    schedule: str = "cosine"
    order: str = "confidence"
    top_p: float = 1.0


class Passes:
    """Counts the passes of a masked network, and their operations, over one sampling."""

    def __init__(self, variant: Variant, model: Mebt):
        self.variant, self.model, self.hidden = variant, model, model.hidden
        self.calls = self.flops = 0

    def __enter__(self) -> Passes:
        self.model.hidden = self.counted  # type: ignore[assignment]
        return self

    def __exit__(self, *_: object) -> None:
        del self.model.hidden  # the class's own is there again

    def counted(self, tokens: Tensor, context: Tensor, target: Tensor, **options: Any) -> Tensor:
        self.calls += 1
        self.flops += len(target) * self.variant.pass_flops(context.shape[1], target.shape[1], options["asked"])
        return self.hidden(tokens, context, target, **options)


def draw_tokens(variant: Variant, model: Model, batch: int, sampling: Sampling, seed: int) -> Tensor:
    """-> ids [B, T', H', W']."""
    frames = variant.latent_frames
    if isinstance(model, Mebt):
        return sample_tokens(
            model,
            batch,
            frames,
            sampling.steps,
            sampling.choice_temperature,
            seed=seed,
            schedule=sampling.schedule,
            order=sampling.order,
            top_p=sampling.top_p,
        )
    return sample_autoregressive(model, batch, frames, seed=seed, top_p=sampling.top_p)


def cost_of_sample(variant: Variant, model: Model, sampling: Sampling) -> dict[str, int]:
    """Calls of the network and operations of a clip."""
    if not isinstance(model, Mebt):
        positions = variant.config.positions
        return {"calls": positions, "flops": variant.pass_flops(0, positions)}
    with Passes(variant, model) as passes:
        draw_tokens(variant, model, 1, sampling, sampling.seed)
    return {"calls": passes.calls, "flops": passes.flops}


def time_samples(
    models: Sequence[tuple[Variant, Model]], sampling: Sampling, repeats: int, device: torch.device
) -> dict[str, dict[str, Any]]:
    """Tokens of one clip, without the decoder, which is the same for all: rounds, every variant once in each."""
    facts: dict[str, dict[str, Any]] = {v.name: dict(cost_of_sample(v, model, sampling)) for v, model in models}
    times: dict[str, list[tuple[float, float]]] = {variant.name: [] for variant, _ in models}
    computed = processor_time(device)
    for turn in range(repeats):
        for variant, model in models:
            began, before = time.monotonic(), computed()
            draw_tokens(variant, model, 1, sampling, sampling.seed + turn).cpu()
            times[variant.name].append((time.monotonic() - began, computed() - before))
    for name, pairs in times.items():
        wall, own = zip(*pairs, strict=True)
        facts[name] |= {"seconds": statistics.median(wall), "processor_seconds": statistics.median(own)}
        facts[name] |= {"least": min(wall), "most": max(wall), "runs": len(pairs)}
    return facts


@torch.no_grad()
def decode(tokenizer: Tokenizer, ids: Tensor, writer: ClipWriter) -> None:
    """Appends clips, one by one."""
    device = next(tokenizer.parameters()).device
    for grid in ids:
        writer.write(as_uint8(tokenizer.decode_tokens(grid.unsqueeze(0).to(device))[0]))


def extent(tokenizer: Tokenizer, grid: tuple[int, ...]) -> tuple[int, int, int]:
    """Frames, rows and columns of a decoded grid [T', H', W']."""
    t, h, w = (n * d for n, d in zip(grid, tokenizer.config.downsample, strict=True))
    return t, h, w


def write_clips(
    variant: Variant, model: Model, tokenizer: Tokenizer, folder: Path, count: int, sampling: Sampling
) -> None:
    """Uncurated; a batch has the seed of its first clip. Goes on with a folder that was begun."""
    size = extent(tokenizer, variant.config.grid)
    options: dict[str, Any] = {"variant": variant.name, "frames": size[0], **asdict(sampling)}
    if not isinstance(model, Mebt):
        options |= {"steps": variant.config.positions, "choice_temperature": None, "schedule": None, "order": "raster"}
    writer = ClipWriter(folder, {"backend": "pytorch", "options": options}, count, size)
    while writer.finished < count:
        first = writer.finished // sampling.batch * sampling.batch
        ids = draw_tokens(variant, model, sampling.batch, sampling, sampling.seed + first)
        decode(tokenizer, ids[writer.finished - first : count - first], writer)
        print(f"{variant.name}: {writer.finished} of {count} clips", flush=True)


def write_reconstructions(tokenizer: Tokenizer, grids: Tensor, folder: Path) -> None:
    """What the tokenizer keeps of held-out clips [N, T', H', W']: no samples can be better."""
    size = extent(tokenizer, tuple(grids.shape[1:]))
    writer = ClipWriter(folder, {"backend": "pytorch", "reconstructed": True}, len(grids), size)
    decode(tokenizer, grids[writer.finished :], writer)
