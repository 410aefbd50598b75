"""Trains MeBT on token grids (recipe.mebt.tokens). Resumable: run it again with the same --out and it goes on.

Under `torchrun` every process takes its share of the batch; a GPU is used where there is one.
One share of masked tokens a batch, as often as sampling under one of `--schedules` meets it; the known ones are random
or, with `--orders spread`, those that this order of sampling has first. Every masked token is a target, or with
`--targets` as many of a clip's, the next in the order (they say much the same, and cost most of a step). AdamW and
Muon; the weights that are sampled from are a moving average. Lengths are mixed: short clips, which are cheap, at first,
the whole grid more and more (the paper's curriculum), so that every length can be sampled. Held-out likelihood is
logged at fixed shares of masked tokens.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..evaluate.labels import Labels, read_labels
from ..optim import Average, Optimizer, Run
from ..sampling import spread_order
from ..schedules import SCHEDULES, masked_count
from ..tokenizer.load import load_tokenizer
from ..traits import Trait, all_rows, part_of, places_of, scene_of, traits_of
from ..workers import Workers, join_workers
from .load import load_mebt
from .model import MEBTS, Block, Grid, Mebt
from .start import go_on_from, start_from, start_traits

MASKED_SHARES = (0.125, 0.5, 0.875, 0.99, 1.0)
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


def loss_of(
    model: nn.Module,
    tokens: Tensor,
    context: Tensor,
    target: Tensor,
    first: int = 0,
    stands_for: float = 1.0,
    scene: Tensor | None = None,
) -> Tensor:
    told = {} if scene is None else {"scene": scene}  # an autoregressive transformer is told nothing
    with torch.autocast(tokens.device.type, torch.bfloat16):
        logits = model(tokens, context, target, first, stands_for, **told)
    return F.cross_entropy(logits.float().flatten(0, 1), tokens.gather(1, target).flatten())


@torch.no_grad()
def held_out(model: Mebt, grids: Tensor, scenes: Tensor | None = None) -> dict[str, float]:
    """Nats a token on held-out clips, at fixed shares of masked tokens and with fixed masks."""
    model.eval()
    result = {}
    device = model.latent_tokens.device
    for share in MASKED_SHARES:
        generator = torch.Generator().manual_seed(1)
        masked = round(share * grids.shape[1])
        losses = []
        for start in range(0, len(grids), 8):
            part, told = grids[start : start + 8], None if scenes is None else scenes[start : start + 8].to(device)
            context, target = split_positions(part.shape[0], part.shape[1], masked, generator)
            parts = (part.to(device), context.to(device), target.to(device))
            losses.append(loss_of(model, *parts, scene=told).item() * part.shape[0])
        result[f"nll_{share}"] = sum(losses) / grids.shape[0]
    model.train()
    return result


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


def optimize(model: nn.Module, lr: float) -> tuple[Optimizer, Average]:
    """Muon for the blocks' matrices, AdamW for the rest; the average that is sampled from."""
    matrices = [p for name, p in model.named_parameters() if p.ndim == 2 and name.startswith("blocks.")]
    traits = [p for name, p in model.named_parameters() if name == "trait_embedding"]
    chosen = {id(p) for p in (*matrices, *traits)}
    others = [p for p in model.parameters() if id(p) not in chosen]
    return Optimizer(matrices, others, lr, 0.05, eager=traits), Average(model, 0.997)


def compile_blocks(blocks: Iterable[nn.Module]) -> None:
    torch._dynamo.config.recompile_limit = 64
    for block in blocks:
        assert isinstance(block, Block)
        block.update = torch.compile(block.update, dynamic=True)  # type: ignore[method-assign]


def train(
    run: Run,
    grids: Tensor,
    plan: Plan,
    watch: Callable[[], dict[str, float]],
    save_every: int = 100,
    warmup: int = 40,
    cost: Callable[[Step], int] | None = None,
    told: Told | None = None,
) -> None:
    """Until the budget of `run` is used up. `watch`: what is logged with every save; `cost`: operations of a step;
    `told`: what the model is told of each clip."""
    recent: list[float] = []
    while run.progress() < 1:
        step = draw_step(grids, run.step, run.progress(), plan, run.workers, told)
        tokens, context, target = (t.to(run.workers.device) for t in step.tensors)
        scene = None if step.scene is None else step.scene.to(run.workers.device)
        loss = loss_of(run.model, tokens, context, target, step.first, step.stands_for, scene)
        loss.backward()
        run.update(warmup)
        if cost:
            run.spend(cost(step))
        recent.append(loss.item())
        if run.step % 25 == 0:
            run.log(loss=float(np.mean(recent)), latent_frames=step.latent_frames)
            recent.clear()
        if run.step % save_every == 0:
            run.save()
            if run.workers.first:
                run.log(**watch())
    run.save()


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", choices=list(MEBTS), required=True)
    parser.add_argument("--train", type=Path, required=True, nargs="+", help="token grids, one file or more")
    parser.add_argument("--validation", type=Path, required=True)
    parser.add_argument("--tokenizer", type=Path, required=True, help="its codebook starts the embeddings")
    parser.add_argument("--start", type=Path, help="checkpoint of a transformer of the same width, to start from")
    parser.add_argument(
        "--start-tokenizer", type=Path, help="that it was trained with; left out: one of the same codes"
    )
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=65.0)
    parser.add_argument("--batch", type=int, default=12)
    parser.add_argument("--targets", type=int, default=0, help="of a clip, at most; 0: every masked token")
    parser.add_argument("--noise", type=float, default=0.0, help="largest share of wrong codes in a batch's context")
    parser.add_argument("--schedules", choices=list(SCHEDULES), nargs="+", default=["cosine"])
    parser.add_argument("--orders", choices=ORDERS, nargs="+", default=["random"])
    parser.add_argument("--scenes", action="store_true", help="tell it what clips are of, by the labels beside tokens")
    parser.add_argument("--shortest", type=int, default=0, help="latent frames that the curriculum starts at; 0: none")
    parser.add_argument("--lr", type=float, default=2e-3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--save-every", type=int, default=100)
    parser.add_argument("--compile", action="store_true", help="torch.compile the blocks: about twice as fast on a CPU")
    args = parser.parse_args()
    if args.start_tokenizer and not args.start:
        parser.error("--start-tokenizer needs --start")
    return args


def main() -> None:
    args, workers = parse(), join_workers()
    args.out.mkdir(parents=True, exist_ok=True)
    path, log = args.out / "mebt.pt", args.out / "mebt.jsonl"
    torch.manual_seed(args.seed)
    told = load_told(args.train) if args.scenes else None
    model = Mebt(replace(MEBTS[args.model], traits=told.traits if told else ()))
    tokenizer = load_tokenizer(args.tokenizer)
    if args.start_tokenizer:
        print(start_from(model, tokenizer, load_mebt(args.start), load_tokenizer(args.start_tokenizer)))
    elif args.start:
        go_on_from(model, load_mebt(args.start))
    else:
        model.start_from_codebook(tokenizer.codebook.codes)
    longest = model.config.grid[0]  # of a longer clip every part is a clip
    grids, validation = load_grids(args.train), load_grids([args.validation])[:, :longest].flatten(1)
    if told:
        start_traits(model, grids[:, :longest].flatten(1), told.rows())
    model.to(workers.device)
    optimizer, average = optimize(model, args.lr)
    run = Run(path, log, model, model.config.to_json(), (optimizer, average), args.minutes, workers)
    validation_scenes = load_told([args.validation], told.traits).rows() if told else None
    if args.compile:
        compile_blocks(model.blocks)
    plan = Plan(
        args.batch,
        args.seed,
        frames=longest,
        shortest=args.shortest,
        targets=args.targets,
        noise=args.noise,
        schedules=tuple(args.schedules),
        orders=tuple(args.orders),
    )
    few = None if validation_scenes is None else validation_scenes[:16]
    train(run, grids, plan, lambda: held_out(model, validation[:16], few), args.save_every, told=told)
    average.load_into(model)
    if workers.first:
        run.log(**{f"averaged_{k}": v for k, v in held_out(model, validation, validation_scenes).items()})


if __name__ == "__main__":
    main()
