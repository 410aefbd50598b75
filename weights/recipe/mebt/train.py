"""Trains MeBT on token grids (recipe.mebt.tokens). Resumable: run it again with the same --out and it goes on.

Under `torchrun` every process takes its share of the batch (recipe.mebt.batches says what is in one); a GPU is used
where there is one. Every masked token is a target, or with `--targets` as many of a clip's, the next in the order (they
say much the same, and cost most of a step). AdamW and Muon; the weights that are sampled from are a moving average.
Held-out likelihood is logged at fixed shares of masked tokens.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from ..optim import Average, Optimizer, Run
from ..schedules import SCHEDULES
from ..tokenizer.load import load_tokenizer
from ..workers import join_workers
from .batches import ORDERS, Plan, Step, Told, draw_step, load_grids, load_told
from .load import load_mebt
from .loss import held_out, loss_of
from .model import MEBTS, Block, Mebt
from .start import go_on_from, start_from, start_traits


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

    def watch(prefix: str = "", clips: int = len(validation)) -> dict[str, float]:
        scenes = None if validation_scenes is None else validation_scenes[:clips]
        return {f"{prefix}nll_{share}": nats for share, nats in held_out(model, validation[:clips], scenes).items()}

    train(run, grids, plan, lambda: watch(clips=16), args.save_every, told=told)
    average.load_into(model)
    if workers.first:
        run.log(**watch("averaged_"))


if __name__ == "__main__":
    main()
