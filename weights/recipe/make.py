"""A model from nothing, in one command: clips, tokenizer, tokens, transformer, export, sheets, evaluation.

`python -m recipe.make --model sky-128 --out recipe/runs/sky-128 --exported sky-128` runs every step below in its turn,
each as a process of its own. What is finished is passed over and what was interrupted goes on, so the same command ends
what it began. `--processes 8` trains under torchrun; `--data VIDEOS` takes a folder of video files in the renderer's
place; `--list` prints the commands and runs none. Defaults are for one GPU of a data centre, and were not tried on one;
`--scale 0.2 --clips 800` is about what two CPU cores got through in three hours.
"""

from __future__ import annotations

import argparse
import shlex
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch

from .mebt.model import MEBTS
from .tokenizer.model import TOKENIZERS

Value = str | float | Path | list[Path] | list[str]

TARGETS = 2048  # masked tokens that sky-128 reads at once at most, in training and in sampling

# How clips are sampled, in the page and here; the models' cards say why.
SPREAD: dict[str, Value] = {"order": "spread", "schedule": "quartic"}
SAMPLED: dict[str, dict[str, Value]] = {
    "sky-64": SPREAD | {"top_p": 0.95},
    "sky-128": SPREAD
    | {"top_p": 0.9, "top_p_from": 0.0625, "guidance": 0.7, "guidance_from": 0.015625, "targets": TARGETS},
}
BEGIN = {"sky-64": 12, "sky-128": 24}  # steps that the page begins with


@dataclass(frozen=True)
class Step:
    name: str
    arguments: list[str]  # after `python -m`, or after torchrun's own
    made: Path | None = None  # finished when this is there; None: the command itself knows what is left
    processes: int = 1

    def command(self) -> list[str]:
        if self.processes == 1:
            return [sys.executable, "-m", *self.arguments]
        torchrun = ["-m", "torch.distributed.run", f"--nproc-per-node={self.processes}"]
        return [sys.executable, *torchrun, "-m", "--", *self.arguments]  # or it takes --start for its own


def call(module: str, *places: str, **options: Value) -> list[str]:
    """`module places… --option value …`; True is an option without a value, False none at all."""
    words = [f"recipe.{module}", *places]
    for name, value in options.items():
        if value is False:
            continue
        words.append(f"--{name.replace('_', '-')}")
        if isinstance(value, list):
            words += [str(one) for one in value]
        elif value is not True:
            words.append(f"{value:g}" if isinstance(value, float) else str(value))
    return words


@dataclass(frozen=True)
class Settings:
    """How large a run is. Minutes are of the machine that trains."""

    clips: int
    held_out: int
    tokenizer: float
    refinement: float
    transformer: float
    batch: int  # whole clips a step of the transformer
    samples: int


def settings(args: argparse.Namespace) -> Settings:
    return Settings(
        clips=args.clips,
        held_out=min(512, max(8, args.clips // 16)),
        tokenizer=120 * args.scale,
        refinement=30 * args.scale,
        transformer=360 * args.scale,
        batch=32 if args.device == "cuda" else 2,
        samples=args.samples,
    )


def clips(args: argparse.Namespace, chosen: Settings) -> Iterator[Step]:
    """The renderer's splits, or those of a folder of videos."""
    out, grid, stride = args.out, MEBTS[args.model].grid, TOKENIZERS[args.model].downsample
    frames, size = grid[0] * stride[0], grid[1] * stride[1]
    if args.data:
        cut = call("videos", data=args.data, frames=frames, size=size, out=out)
        yield Step("clips of the videos", cut, out / "train.npy")
        return
    counts = {"train": chosen.clips, "validation": chosen.held_out, "test": 2 * chosen.held_out}
    for split, count in counts.items():
        drawn = {"scenes": args.model, "frames": frames, "size": size, "device": args.device}
        yield Step(f"render {split}", call("sky.dataset", split, count=count, **drawn, out=out))


def tokenizer(args: argparse.Namespace, chosen: Settings) -> Iterator[Step]:
    out, eye = args.out, args.out / "perceptual.pt"
    held = {"train": out / "train.npy", "validation": out / "validation.npy"}
    rates = {"crop": 64, "lr": 7e-4, "open_steps": 150}
    trained = call(
        "tokenizer.train", model=args.model, **held, **rates, minutes=chosen.tokenizer, out=out / "tokenizer"
    )
    yield Step("tokenizer", trained, processes=args.processes)
    yield Step("eye", call("tokenizer.perceptual", **held, minutes=chosen.refinement / 4, out=eye), eye)
    base = {"tokenizer": out / "tokenizer" / "tokenizer.pt", "losses": args.losses, "perceptual": eye}
    refined = call("tokenizer.refine", **base, **held, minutes=chosen.refinement, out=out / "refined")
    yield Step("decoder, refined", refined, processes=args.processes)


def transformer(args: argparse.Namespace, chosen: Settings) -> Iterator[Step]:
    out, base = args.out, args.out / "tokenizer" / "tokenizer.pt"
    plain, flip, validation = (out / f"tokens-{name}.npy" for name in ("plain", "flip", "validation"))
    for path, split, mirrored in ((plain, "train", False), (flip, "train", True), (validation, "validation", False)):
        cut = call("mebt.tokens", tokenizer=base, clips=out / f"{split}.npy", out=path, flip=mirrored)
        yield Step(path.stem, cut, path)
    read = {"train": [plain, flip], "validation": validation, "tokenizer": base}
    plan = {"lr": 1.5e-3, "shortest": 16, "batch": chosen.batch, "targets": TARGETS, "noise": 0.1, "compile": True}
    met: dict[str, Value] = {"schedules": ["cosine", "quartic"], "orders": ["random", "spread"]}
    met["scenes"] = not args.data  # videos have no labels
    trained = call("mebt.train", model=args.model, **read, **plan, **met, minutes=chosen.transformer, out=out / "mebt")
    yield Step("transformer", trained, processes=args.processes)


def exported(args: argparse.Namespace, chosen: Settings) -> Iterator[Step]:
    """The model that the page loads, with sheets, curves and numbers beside it."""
    out, to = args.out, args.exported
    refined, mebt = out / "refined" / "tokenizer.pt", out / "mebt" / "mebt.pt"
    both = {"tokenizer": refined, "mebt": mebt}
    sampled, begin = SAMPLED[args.model], {"steps": BEGIN[args.model]}
    yield Step("export", call("export", **both, clips=out / "train.npy", name=to.name, **sampled, **begin, out=to))
    held = out / f"{'validation' if args.data else 'test'}.npy"
    kept = call("sheet", "reconstructions", tokenizer=refined, clips=held, count=6, out=to / "reconstructions.png")
    yield Step("sheet of reconstructions", kept)
    shown = call("sheet", "samples", **both, **sampled, **begin, count=16, out=to / "samples.png")
    yield Step("sheet of samples", shown)
    logs = {"tokenizer_log": out / "tokenizer" / "tokenizer.jsonl", "mebt_log": out / "mebt" / "mebt.jsonl"}
    yield Step("curves", call("report", **logs, out=to))
    if not args.data:  # Videos have no labels that a network could learn to read.
        yield from evaluated(args, chosen, both)


def evaluated(args: argparse.Namespace, chosen: Settings, both: dict[str, Path]) -> Iterator[Step]:
    out, network, rebuilt = args.out, args.out / "network.pt", args.out / "reconstructions"
    test = {"test": out / "test.npy", "test_labels": out / "test.jsonl"}
    seen = {"train": out / "train.npy", "labels": out / "train.jsonl"}
    yield Step("network", call("evaluate.network", **seen, **test, device=args.device, out=network), network)
    of_test = {"clips": out / "test.npy", "count": chosen.held_out}
    kept = call("evaluate.sample", tokenizer=both["tokenizer"], **of_test, device=args.device, out=rebuilt)
    yield Step("reconstructions", kept)
    folders = {f"{steps} steps": (steps, out / f"steps-{steps}") for steps in args.steps}
    for name, (steps, folder) in folders.items():
        size = {"count": chosen.samples, "steps": steps, "device": args.device}
        yield Step(name, call("evaluate.sample", **both, **SAMPLED[args.model], **size, out=folder))
    apart = {"mebt": both["mebt"], "tokens": out / "tokens-validation.npy", "out": args.exported}
    yield Step("cost of drawing together", call("evaluate.independence", **apart), args.exported / "independence.json")
    named = [f"{name}={folder}" for name, (_, folder) in folders.items()]
    compared = {"reconstructions": rebuilt, "samples": named, "proof": chosen.held_out, "device": args.device}
    yield Step("evaluation", call("evaluate", network=network, **test, **compared, **both, out=args.exported))


def steps(args: argparse.Namespace) -> list[Step]:
    chosen = settings(args)
    return [step for part in (clips, tokenizer, transformer, exported) for step in part(args, chosen)]


def parse(given: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", choices=sorted(MEBTS), required=True)
    parser.add_argument("--out", type=Path, required=True, help="folder for clips, checkpoints, logs")
    parser.add_argument("--exported", type=Path, required=True, help="folder of the model; its name is the model's")
    parser.add_argument("--data", type=Path, help="folder of video files in the place of rendered clips")
    parser.add_argument("--clips", type=int, default=6000, help="rendered for training; 6 MB each for sky-128")
    parser.add_argument("--samples", type=int, default=512, help="for each number of steps")
    parser.add_argument("--steps", type=int, nargs="+", default=[1, 2, 4, 8, 12, 16, 24, 32, 64])
    parser.add_argument("--scale", type=float, default=1.0, help="of all minutes of training")
    parser.add_argument("--losses", default="all", help="of the decoder's refinement; see recipe.tokenizer.refine")
    parser.add_argument("--processes", type=int, default=1, help="that train together, under torchrun")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--list", action="store_true", help="print the commands")
    return parser.parse_args(given)


def main() -> None:
    args = parse()
    if not args.list:
        args.out.mkdir(parents=True, exist_ok=True)
    for step in steps(args):
        done = step.made is not None and step.made.exists()
        print(f"== {step.name}{' (is there)' if done else ''}\n{shlex.join(step.command())}", flush=True)
        if done or args.list:
            continue
        ended = subprocess.run(step.command()).returncode
        if ended:
            sys.exit(f"{step.name} ended with {ended}. Mend what it says above and call this again: it goes on there.")


if __name__ == "__main__":
    main()
