"""Trains MeBT on token grids (recipe.mebt.tokens). Resumable: run it again with the same --out and it goes on.

One share of masked tokens a batch, as often as sampling meets it; every masked token is a target; AdamW and Muon; the
weights that are sampled from are a moving average. Lengths are mixed: short clips, which are cheap, at first, the whole
grid more and more (the paper's curriculum), so that every length can be sampled. Held-out likelihood is logged at fixed
shares of masked tokens.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..optim import Average, Optimizer, Run, append_log
from ..tokenizer.load import load_tokenizer
from .model import Block, Mebt, MebtConfig

MASKED_SHARES = (0.125, 0.5, 0.875, 1.0)


def load_grids(paths: list[Path]) -> Tensor:
    """int64 [N, T', H', W'] of all files."""
    return torch.from_numpy(np.concatenate([np.load(path).astype(np.int64) for path in paths]))


def draw_length(longest: int, progress: float, random: np.random.Generator) -> int:
    """Latent frames of the next batch: the whole grid with a chance that grows from 25% to 75%, else a shorter clip."""
    if random.random() < 0.25 + 0.5 * min(1.0, progress / 0.6):
        return longest
    return int(random.integers(1, longest // 2)) * 2


def draw_batch(grids: Tensor, size: int, length: int, random: np.random.Generator) -> Tensor:
    """Random windows of `length` latent frames, [size, length * H' * W']."""
    starts = random.integers(grids.shape[1] - length + 1, size=size)
    picks = random.integers(len(grids), size=size)
    return torch.stack([grids[p, s : s + length].flatten() for p, s in zip(picks, starts, strict=True)])


def split_positions(batch: int, positions: int, masked: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """A random partition of the grid for each clip: (context [B, N - masked], target [B, masked])."""
    order = torch.rand(batch, positions, generator=generator).argsort(1)
    return order[:, masked:], order[:, :masked]


def loss_of(model: nn.Module, tokens: Tensor, context: Tensor, target: Tensor) -> Tensor:
    with torch.autocast("cpu", torch.bfloat16):
        logits = model(tokens, context, target)
    return F.cross_entropy(logits.float().flatten(0, 1), tokens.gather(1, target).flatten())


@torch.no_grad()
def held_out(model: Mebt, grids: Tensor) -> dict[str, float]:
    """Nats a token on held-out clips, at fixed shares of masked tokens and with fixed masks."""
    model.eval()
    result = {}
    for share in MASKED_SHARES:
        generator = torch.Generator().manual_seed(1)
        masked = round(share * grids.shape[1])
        losses = []
        for part in grids.split(8):
            context, target = split_positions(part.shape[0], part.shape[1], masked, generator)
            losses.append(loss_of(model, part, context, target).item() * part.shape[0])
        result[f"nll_{share}"] = sum(losses) / grids.shape[0]
    model.train()
    return result


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--train", type=Path, required=True, nargs="+", help="token grids, one file or more")
    parser.add_argument("--validation", type=Path, required=True)
    parser.add_argument("--tokenizer", type=Path, required=True, help="its codebook starts the embeddings")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=65.0)
    parser.add_argument("--batch", type=int, default=12)
    parser.add_argument("--lr", type=float, default=2e-3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--save-every", type=int, default=100)
    parser.add_argument("--compile", action="store_true", help="torch.compile the blocks: about twice as fast on a CPU")
    return parser.parse_args()


def masked_count(positions: int, random: np.random.Generator) -> int:
    """cos(pi/2 * u) of the grid, u uniform, as sampling meets the shares. All of it, its first step, more often."""
    if random.random() < 0.08:
        return positions
    return min(max(2, int(np.ceil(np.cos(np.pi / 2 * random.random()) * positions))), positions - 2)


def main() -> None:
    args = parse()
    args.out.mkdir(parents=True, exist_ok=True)
    path, log = args.out / "mebt.pt", args.out / "mebt.jsonl"
    torch.manual_seed(args.seed)
    model = Mebt(MebtConfig())
    model.start_from_codebook(load_tokenizer(args.tokenizer).codebook.codes)
    matrices = [p for name, p in model.named_parameters() if p.ndim == 2 and name.startswith("blocks.")]
    chosen = {id(p) for p in matrices}
    others = [p for p in model.parameters() if id(p) not in chosen]
    optimizer, average = Optimizer(matrices, others, args.lr, 0.05), Average(model, 0.997)
    run = Run(path, model, model.config.to_json(), (optimizer, average), args.minutes)
    grids, validation = load_grids(args.train), load_grids([args.validation]).flatten(1)
    if args.compile:
        torch._dynamo.config.recompile_limit = 64
        for block in model.blocks:
            assert isinstance(block, Block)
            block.update = torch.compile(block.update, dynamic=True)  # type: ignore[method-assign]

    recent: list[float] = []
    while run.clock.progress < 1:
        random = np.random.default_rng((args.seed, run.step))
        generator = torch.Generator().manual_seed(int(random.integers(2**31)))
        length = draw_length(grids.shape[1], run.clock.progress, random)
        size = round(args.batch * (grids.shape[1] / length) ** 0.5)  # latent tokens cost the same at any length
        tokens = draw_batch(grids, size, length, random)
        context, target = split_positions(
            len(tokens), tokens.shape[1], masked_count(tokens.shape[1], random), generator
        )
        loss = loss_of(model, tokens, context, target)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        run.update(warmup=40)
        recent.append(loss.item())
        if run.step % 25 == 0:
            append_log(log, step=run.step, minutes=run.clock.used / 60, loss=float(np.mean(recent)))
            recent.clear()
        if run.step % args.save_every == 0:
            run.save()
            append_log(log, step=run.step, minutes=run.clock.used / 60, **held_out(model, validation[:16]))
    run.save()
    average.load_into(model)
    scores = {f"averaged_{k}": v for k, v in held_out(model, validation).items()}
    append_log(log, step=run.step, minutes=run.clock.used / 60, **scores)


if __name__ == "__main__":
    main()
