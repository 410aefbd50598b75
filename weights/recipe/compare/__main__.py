"""The paper's comparison at equal parameters and equal training compute: MeBT, dense bidirectional (decoded as MaskGIT
is) and autoregressive transformers, on short and on long clips; MeBT with and without a length curriculum, and with
several numbers of latent tokens.

`python -m recipe.compare --train runs/tokens.npy --validation runs/tokens-validation.npy --tokenizer runs/tokenizer.pt
--minutes 4 --out DIR`, with `--network`, `--test` for distances. Writes DIR/comparison.json and DIR/comparison.md after
every variant and part, and goes on where it stopped; --parts and --only do some of it.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..evaluate.__main__ import measure, rounded
from ..evaluate.clips import Clips, open_clips
from ..evaluate.course import describe_course
from ..evaluate.labels import Array
from ..evaluate.network import features_of, load_network
from ..mebt.batches import load_grids
from ..sampling import ORDERS, SAMPLING
from ..schedules import SCHEDULES
from ..tokenizer.load import load_tokenizer
from ..tokenizer.model import Tokenizer
from ..workers import join_workers
from .generating import Sampling, time_samples, write_clips, write_reconstructions
from .report import markdown
from .training import Budget, Training, cut, likelihood, load_variant, speed, train_variant
from .variants import CURRICULA, FAMILIES, SIZES, Variant, make_variant, make_variants, parameters

PARTS = ("train", "likelihood", "time", "sample", "evaluate")
KEPT = ("size", "corner", "petaflops", "minutes", "equal", "batch", "lr", "seed")  # what makes variants comparable


def parse() -> argparse.Namespace:
    cuda = torch.cuda.is_available()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--train", type=Path, nargs="+", required=True, help="token grids of recipe.mebt.tokens")
    parser.add_argument("--validation", type=Path, required=True)
    parser.add_argument("--tokenizer", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True, help="folder")
    parser.add_argument("--minutes", type=float, default=4.0, help="about what MeBT on long clips takes; see --equal")
    parser.add_argument("--petaflops", type=float, default=0.0, help="budget of a variant, in the place of --minutes")
    parser.add_argument(
        "--equal", choices=("flops", "time"), default="flops", help="time: --minutes of the processor for each variant"
    )
    parser.add_argument("--frames", type=int, nargs="+", help="lengths; left out: the tokens' own, and a quarter")
    parser.add_argument(
        "--corner",
        type=int,
        default=0,
        help="rows and columns of tokens, of the lower left; 0: whole pictures",
    )
    parser.add_argument("--families", choices=FAMILIES, nargs="+", default=FAMILIES)
    parser.add_argument("--curricula", choices=CURRICULA, nargs="+", default=CURRICULA)
    parser.add_argument("--latent-tokens", type=int, nargs="*", default=[32, 64, 128, 256])
    parser.add_argument("--size", choices=SIZES, default="sky-64" if cuda else "small")
    parser.add_argument("--batch", type=int, default=32 if cuda else 4, help="of the longest clips")
    parser.add_argument("--lr", type=float, default=2e-3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--compile", action="store_true", help="torch.compile the blocks")
    parser.add_argument("--parts", choices=PARTS, nargs="+", default=PARTS)
    parser.add_argument("--only", nargs="+", metavar="NAME", help="variants, by the names of their folders")
    parser.add_argument("--likelihood-clips", type=int, default=64)
    parser.add_argument("--repeats", type=int, default=3, help="samples of each variant that are timed")
    parser.add_argument("--count", type=int, default=512 if cuda else 32, help="samples of each variant")
    parser.add_argument("--sample-batch", type=int, default=32 if cuda else 8)
    parser.add_argument("--steps", type=int, default=int(SAMPLING["steps"]), help="of masked families")
    parser.add_argument("--choice-temperature", type=float, default=float(SAMPLING["choiceTemperature"]))
    parser.add_argument("--schedule", choices=list(SCHEDULES), default="cosine", help="of masked families")
    parser.add_argument("--order", choices=ORDERS, default="confidence", help="in which masked families keep tokens")
    parser.add_argument("--top-p", type=float, default=1.0, help="of all families")
    parser.add_argument("--network", type=Path, help="of recipe.evaluate.network; no distances without")
    parser.add_argument("--test", type=Path, help="the renderer's held-out clips, .npy")
    parser.add_argument("--threads", type=int, default=0, help="0: as many as PyTorch takes")
    return parser.parse_args()


def corner_of(grids: Tensor, side: int) -> Tensor:
    """[N, T', H', W'] -> their lower left, `side` rows and columns: sky and land, at a fraction of the cost."""
    return grids[:, :, -side:, :side] if side else grids


class Comparison:
    """The report that all parts write into, and what they share."""

    def __init__(self, args: argparse.Namespace):
        self.args, self.workers = args, join_workers()
        if self.workers.count > 1:
            raise ValueError("recipe.compare is one process: sampling times and budgets are those of one. No torchrun.")
        self.tokenizer: Tokenizer = load_tokenizer(args.tokenizer).to(self.workers.device)
        self.codes = self.tokenizer.codebook.codes.detach().cpu()
        self.validation = corner_of(load_grids([args.validation]), args.corner)
        t, h, w = self.validation.shape[1:]
        self.base = replace(SIZES[args.size], vocabulary=len(self.codes), grid=(t, h, w))
        self.lengths = self._lengths()
        families = make_variants(self.base, self.lengths, args.families, args.curricula, args.latent_tokens)
        self.order = {v.name: i for i, v in enumerate(families)}
        self.variants = [v for v in families if not args.only or v.name in args.only]
        if not self.variants:
            raise ValueError(f"--only {' '.join(args.only)}: the variants are {', '.join(self.order)}.")
        self.report = self._report()

    def _lengths(self) -> list[int]:
        """In latent frames."""
        longest, stride = self.base.grid[0], self.tokenizer.config.downsample[0]
        asked: list[int] = self.args.frames or [longest * stride, max(1, longest // 4) * stride]
        for frames in asked:
            if frames % stride or not 0 < frames <= longest * stride:
                raise ValueError(
                    f"--frames {frames}: lengths are multiples of {stride}, up to the tokens' {longest * stride}."
                )
        return sorted({frames // stride for frames in asked})

    def _report(self) -> dict[str, Any]:
        """What OUT holds, if it was made with the same settings."""
        self.args.out.mkdir(parents=True, exist_ok=True)
        self.path = self.args.out / "comparison.json"
        settings = rounded({name: getattr(self.args, name) for name in KEPT})
        if self.path.exists():
            report: dict[str, Any] = json.loads(self.path.read_text())
            if report["settings"] != settings:
                raise ValueError(f"{self.path} was made with {report['settings']}, not {settings}: name another --out.")
            return report
        device = self.workers.device
        name = torch.cuda.get_device_name(device) if device.type == "cuda" else f"{torch.get_num_threads()} CPU threads"
        return {
            "settings": settings,
            "device": name,
            "frames_per_latent": self.tokenizer.config.downsample[0],
            "variants": {},
            "references": {},
        }

    def write(self) -> None:
        rows, last = self.report["variants"], len(self.order)
        self.report["variants"] = {name: rows[name] for name in sorted(rows, key=lambda n: self.order.get(n, last))}
        self.path.write_text(json.dumps(rounded(self.report), indent=1) + "\n")
        self.path.with_suffix(".md").write_text(markdown(self.report))

    def note(self, variant: Variant, part: str, facts: Any) -> None:
        self.report["variants"][variant.name][part] = facts
        self.write()

    def folder(self, variant: Variant) -> Path:
        path: Path = self.args.out / variant.name
        return path

    def trained(self) -> list[Variant]:
        return [v for v in self.variants if "training" in self.report["variants"].get(v.name, {})]


def train(run: Comparison) -> None:
    args = run.args
    grids = corner_of(load_grids(args.train), args.corner)
    if grids.shape[1:] != run.validation.shape[1:]:
        raise ValueError(f"--train has grids of {tuple(grids.shape[1:])}, --validation of {run.base.grid}.")
    common = Training(grids, run.validation, run.codes, run.workers, args.batch, args.lr, args.seed, args.compile)
    if "budget" not in run.report:
        flops = args.petaflops * 1e15
        if not flops and args.equal == "flops":
            flops = speed(make_variant(run.base, "mebt", run.lengths[-1]), common) * 60 * args.minutes
        run.report["budget"] = rounded({"flops": flops, "minutes": args.minutes})
    budget = Budget(**run.report["budget"])
    for variant in run.variants:
        print(f"training {variant.name}", flush=True)
        row = run.report["variants"].setdefault(variant.name, variant.to_json())
        row |= {"parameters": parameters(variant.build()), "tokens": variant.config.positions}
        run.note(variant, "training", train_variant(variant, run.folder(variant), common, budget))


def measure_likelihood(run: Comparison) -> None:
    for variant in run.trained():
        model = load_variant(variant, run.folder(variant), run.workers.device)
        facts = likelihood(variant, model, run.validation, run.args.likelihood_clips)
        print(f"{variant.name}: {facts['nats']:.3f} nats a token", flush=True)
        run.note(variant, "likelihood", facts)


def sampling_of(args: argparse.Namespace) -> Sampling:
    return Sampling(
        args.steps, args.choice_temperature, args.seed, args.sample_batch, args.schedule, args.order, args.top_p
    )


def measure_time(run: Comparison) -> None:
    device = run.workers.device
    for length in run.lengths:
        variants = [v for v in run.trained() if v.latent_frames == length]
        models = [(v, load_variant(v, run.folder(v), device)) for v in variants]
        for name, facts in time_samples(models, sampling_of(run.args), run.args.repeats, device).items():
            run.report["variants"][name]["sampling"] = facts
    run.write()


def sample(run: Comparison) -> None:
    for variant in run.trained():
        model = load_variant(variant, run.folder(variant), run.workers.device)
        folder = run.folder(variant) / "clips"
        write_clips(variant, model, run.tokenizer, folder, run.args.count, sampling_of(run.args))
    for length in run.lengths:
        pieces = cut(run.validation, length).unflatten(1, (length, *run.base.grid[1:]))
        some = pieces[torch.randperm(len(pieces), generator=torch.Generator().manual_seed(3))[: run.args.count]]
        write_reconstructions(run.tokenizer, some, run.args.out / f"reconstructions-{length}")


def windows(clips: Array, frames: int) -> Array:
    """[N, T, H, W, 3] -> all pieces of `frames` frames, one after the other."""
    pieces = clips.shape[1] // frames
    return clips[:, : pieces * frames].reshape(-1, frames, *clips.shape[2:])


def evaluate(run: Comparison) -> None:
    """Distances to the pieces of held-out clips that are as long; needs --network and --test."""
    args = run.args
    if not (args.network and args.test):
        print("no --network, --test: no distances", flush=True)
        return
    network, test = load_network(args.network, str(run.workers.device)), open_clips(args.test, "held-out clips")
    checkpoint = hashlib.sha256(args.network.read_bytes()).hexdigest()
    rows, columns = (n * d for n, d in zip(run.base.grid[1:], run.tokenizer.config.downsample[1:], strict=True))
    seen = test.array[:, :, -rows:, :columns]
    for length in run.lengths:
        frames = length * run.report["frames_per_latent"]
        pieces = windows(seen, frames)
        features = features_of(network, pieces)

        def measured(path: Path, name: str, features: Array = features) -> dict[str, Any]:
            clips = open_clips(path, name, args.count)
            return measure(clips, features_of(network, clips.array), features) | {"network_sha256": checkpoint}

        references: dict[str, Any] = {"held-out clips": {"clips": reference(test, pieces)}}
        folder = args.out / f"reconstructions-{length}"
        if folder.exists():
            references["held-out tokens, decoded"] = {"clips": measured(folder, "reconstructions")}
        run.report["references"][str(length)] = references
        for variant in run.trained():
            folder = run.folder(variant) / "clips"
            if variant.latent_frames == length and folder.exists():
                print(f"evaluating {variant.name}", flush=True)
                run.note(variant, "clips", measured(folder, variant.name))


def reference(test: Clips, pieces: Array) -> dict[str, Any]:
    """What lasts in the renderer's own clips; of 256 of them, which takes as long as that of the samples together."""
    some = np.sort(np.random.default_rng(0).permutation(len(pieces))[:256])
    return {"name": test.name, "clips": len(pieces), "course": describe_course(pieces[some])}


STAGES: dict[str, Callable[[Comparison], None]] = {
    "train": train,
    "likelihood": measure_likelihood,
    "time": measure_time,
    "sample": sample,
    "evaluate": evaluate,
}


def main() -> None:
    args = parse()
    if args.threads:
        torch.set_num_threads(args.threads)
    run = Comparison(args)
    for part in PARTS:
        if part in args.parts:
            STAGES[part](run)
    print(run.path.with_suffix(".md").read_text())


if __name__ == "__main__":
    main()
