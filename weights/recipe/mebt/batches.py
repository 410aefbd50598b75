"""What a training step is made of: which windows of which clips, which of their tokens are known, what is told of them.

One share of masked tokens a batch, as often as sampling under one of a plan's schedules meets it; the known ones are
random, or those that the order `spread` has first. Lengths are mixed: short clips, which are cheap, at first, the whole
grid more and more (the paper's curriculum), so that every length can be sampled.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ..evaluate.labels import Labels, read_labels
from ..sampling import spread_order
from ..schedules import masked_count
from ..traits import Trait, all_rows, part_of, places_of, scene_of, traits_of
from ..workers import Workers
from .model import Grid

ORDERS = ("random", "spread")


def load_grids(paths: list[Path]) -> Tensor:
    """int64 [N, T', H', W'] of all files."""
    return torch.from_numpy(np.concatenate([np.load(path).astype(np.int64) for path in paths]))


def reach(longest: int, shortest: int, progress: float) -> int:
    """Latent frames that the curriculum has come to: doubled from `shortest` on, all of them from 45% of the budget on.

    Short clips are cheap, and what is learned on them (what the tokens look like, how they move) holds for long ones.
    """
    if shortest <= 0:
        return longest
    stages = max(1, math.ceil(math.log2(longest / shortest)))
    return min(longest, shortest * 2 ** int(stages * min(1.0, progress / 0.45)))


def draw_length(longest: int, progress: float, random: np.random.Generator) -> int:
    """Latent frames of the next batch: the longest with a chance that grows from 25% to 75%, else a shorter clip."""
    if longest < 4 or random.random() < 0.25 + 0.5 * min(1.0, progress / 0.6):
        return longest
    return int(random.integers(1, longest // 2)) * 2


@dataclass(frozen=True)
class Told:
    """What a model is told of clips: what of, and the renderer's labels of each."""

    traits: tuple[Trait, ...]
    labels: Sequence[Labels]

    def rows(self) -> Tensor:
        """Of the trait table, int64 [N, tokens told], of the whole clips."""
        return all_rows(self.traits, [scene_of(row) for row in self.labels])

    def rows_of_windows(self, windows: Windows, length: int, frames: int) -> Tensor:
        """The same of windows of `length` of the clips' `frames`: the sun's course is that of the window."""
        parts = zip(*windows, strict=True)
        rows = [part_of(self.labels[pick], start / frames, (start + length) / frames) for pick, start in parts]
        return all_rows(self.traits, [scene_of(row) for row in rows])


def load_told(paths: list[Path], traits: Sequence[Trait] = ()) -> Told:
    """Of the clips of token files, by the labels beside them; traits have the clips' own shares unless given."""
    labels = read_labels([path.with_suffix(".jsonl") for path in paths])
    return Told(tuple(traits) or traits_of([scene_of(row) for row in labels]), labels)


Windows = tuple[list[int], list[int]]  # of each its clip and its first latent frame


def draw_windows(grids: Tensor, size: int, length: int, random: np.random.Generator) -> Windows:
    """Random ones of `length` latent frames."""
    starts = random.integers(grids.shape[1] - length + 1, size=size)
    picks = random.integers(len(grids), size=size)
    return picks.tolist(), starts.tolist()


def draw_first(frames: int, length: int, random: np.random.Generator) -> int:
    """Latent frame of the grid at which a window is put: the first, as in sampling, or (half the time) any."""
    return 0 if random.random() < 0.5 else int(random.integers(frames - length + 1))


def split_positions(batch: int, positions: int, masked: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """A random partition of the grid for each clip: (context [B, N - masked], target [B, masked])."""
    order = torch.rand(batch, positions, generator=generator).argsort(1)
    return order[:, masked:], order[:, :masked]


def split_spread(batch: int, grid: Grid, masked: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """The same where tokens become known in the order `spread`: targets are in the order in which they are drawn."""
    shifts = torch.rand(batch, 3, generator=generator, dtype=torch.float64).tolist()
    order = torch.stack([spread_order(grid, shift) for shift in shifts])
    known = order.shape[1] - masked
    return order[:, :known], order[:, known:]


def split_in_order(
    order: str, batch: int, grid: Grid, masked: int, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """By one of ORDERS."""
    if order == "spread":
        return split_spread(batch, grid, masked, generator)
    return split_positions(batch, grid[0] * grid[1] * grid[2], masked, generator)


def disturbed(tokens: Tensor, context: Tensor, share: float, generator: torch.Generator) -> Tensor:
    """Puts a code from elsewhere in the clip at so many of the context's places: sampling makes mistakes, most when
    many tokens are drawn at once, and who has never seen one builds on it."""
    chosen = torch.randperm(context.shape[1], generator=generator)[: round(share * context.shape[1])]
    wrong = context[:, chosen]
    picks = torch.randint(tokens.shape[1], wrong.shape, generator=generator)
    return tokens.scatter(1, wrong, tokens.gather(1, picks))


def draw_masked(positions: int, schedule: str, random: np.random.Generator) -> int:
    """The schedule at a uniform time, as sampling meets the shares. All of the grid, its first step, more often."""
    if random.random() < 0.08:
        return positions
    return max(1, masked_count(schedule, random.random(), positions))


@dataclass(frozen=True)
class Step:
    tensors: tuple[Tensor, Tensor, Tensor]  # tokens, context, target
    first: int  # position of the tokens' first in the grid
    latent_frames: int
    stands_for: float = 1.0  # masked tokens for each target
    scene: Tensor | None = None  # what each clip is of (Mebt.forward)


@dataclass(frozen=True)
class Plan:
    """What the batches of a training are."""

    batch: int  # clips, where they are whole
    seed: int = 0
    frames: int = 0  # latent frames of a whole clip; 0: as many as there are
    shortest: int = 0  # latent frames that the curriculum starts at; 0: none
    mixed: bool = True  # shorter clips among the whole ones
    causal: bool = False  # every token is a target, as an autoregressive transformer has it
    targets: int = 0  # of a clip, at most; 0: every masked token
    noise: float = 0.0  # largest share of wrong codes in the context of a batch; half of the batches have none
    schedules: tuple[str, ...] = ("cosine",)  # that shares of masked tokens are met under, one a batch
    orders: tuple[str, ...] = ("random",)  # in which tokens become known, one a batch; of ORDERS


# Shares of clips that the model is not told anything of, and not told the course of, so that it can do without.
UNTOLD, NO_COURSE = 0.1, 0.1


def draw_step(
    grids: Tensor, step: int, progress: float, plan: Plan, workers: Workers, told: Told | None = None
) -> Step:
    """This worker's part of a batch. Length and share of masked tokens are the same for all workers."""
    random = np.random.default_rng((plan.seed, step))
    frames, area = plan.frames or grids.shape[1], grids.shape[2] * grids.shape[3]
    longest = reach(frames, plan.shortest, progress)
    length = draw_length(longest, progress, random) if plan.mixed else longest
    first, schedule = draw_first(frames, length, random), plan.schedules[random.integers(len(plan.schedules))]
    masked, order = draw_masked(length * area, schedule, random), plan.orders[random.integers(len(plan.orders))]
    if plan.causal:
        masked = length * area
    size = round(plan.batch * (frames / length) ** 0.5)  # a step then takes about as long at any length
    own = np.random.default_rng((plan.seed, step, workers.rank))
    generator = torch.Generator().manual_seed(int(own.integers(2**31)))
    windows = draw_windows(grids, workers.share(size), length, own)
    tokens = torch.stack([grids[p, s : s + length].flatten() for p, s in zip(*windows, strict=True)])
    context, target = split_in_order(order, len(tokens), (length, *grids.shape[2:]), masked, generator)
    if plan.noise and random.random() < 0.5:
        tokens = disturbed(tokens, context, plan.noise * random.random(), generator)
    stands_for = 1.0
    if 0 < plan.targets < masked:
        target, stands_for = target[:, : plan.targets], masked / plan.targets
    scene = None
    if told is not None:
        open_, without = torch.rand(2, len(tokens), 1, generator=generator)
        courses = torch.tensor([place != "" for place in places_of(told.traits)])
        left_out = (open_ < UNTOLD) | (without < NO_COURSE) & courses
        scene = told.rows_of_windows(windows, length, grids.shape[1]).masked_fill(left_out, -1)
    return Step((tokens, context, target), first * area, length, stands_for, scene)
