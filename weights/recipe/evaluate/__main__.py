"""Measures folders of clips against the renderer's: `python -m recipe.evaluate --network runs/network.pt --test
runs/test.npy --test-labels runs/test.jsonl --samples "24 steps=runs/steps-24" ... --out sky-64`.

Writes OUT/evaluation.json, OUT/evaluation.md and OUT/evaluation.png. A folder is one of `npm run generate` or of
`recipe.evaluate.sample`. With --tokenizer and --mebt also fidelity and held-out likelihood, with --proof the damages.
What is left out is taken from the OUT/evaluation.json that is there already, so that parts can be computed one by one.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ..measures import HOURS, Array, hour, shares
from ..mebt.load import load_mebt
from ..tokenizer.load import load_tokenizer
from ..traits import scene_of
from .clips import Clips, open_clips
from .course import describe_course, describe_seams, seamless_places
from .distance import between_halves, compare, frechet
from .labels import Labels, encode, read_labels
from .likelihood import likelihood, reconstruction
from .network import Network, accuracy, features_of, load_network, read_clips, read_damages
from .proof import prove
from .report import draw, markdown
from .told import describe_told

REPEATS = 8  # draws of the floor
FEWEST = 8  # clips of which a distance is worth a number


def hours_of(clips: Array) -> dict[str, float]:
    found = shares([hour(clip) for clip in clips])
    return {name: found[name] for name in HOURS}


def measure(clips: Clips, features: Array, real: Array, own: Array | None = None) -> dict[str, Any]:
    """One row of the tables. `features` of these clips, `real` of those to compare with, `own` of these clips'
    originals."""
    row: dict[str, Any] = {"name": clips.name, "clips": len(clips), "frames": clips.array.shape[1], "made": clips.made}
    if len(clips) >= FEWEST:
        row["distance"] = compare(features, real)
        if own is not None:
            row["distance"]["frechet_to_originals"] = frechet(features, own)
        row["floor"] = between_halves(real, len(clips), REPEATS)
    row["course"] = describe_course(clips.array)
    row["hours"] = hours_of(clips.array)
    if clips.seams:
        row["seams"] = describe_seams(clips.array, clips.seams)
    return row


def measure_real(
    test: Clips,
    network: Network,
    features: Array,
    labels: list[Labels] | None,
    kept: dict[str, Any],
    tell: bool,
) -> dict[str, Any]:
    """The renderer's own clips, as perfect samples would be. What no network has a part in is taken from `kept`.
    `tell`: their labels are the renderer's, which say what each is of."""
    facts: dict[str, Any] = {"name": "held-out clips", "clips": len(test), "frames": test.array.shape[1]}
    facts["distance"] = between_halves(features, len(test) // 2, REPEATS)
    if all(kept.get(name) == facts[name] for name in ("clips", "frames")):
        facts |= {name: kept[name] for name in ("course", "hours", "seams") if name in kept}
    else:
        facts["course"] = describe_course(test.array)
        facts["hours"] = hours_of(test.array)
        places = seamless_places(test.array.shape[1])
        if places:
            facts["seams"] = describe_seams(test.array[:64], places)
    if labels:
        values, valid = encode(labels, network.targets)
        outs = read_clips(network, test.array)[1]
        facts["read"] = accuracy(network.targets, outs, values, valid)
        if tell:
            facts["told"] = describe_told(network.targets, outs, [scene_of(row) for row in labels], test.array)
        facts["read"] |= read_damages(network, test.array[:48])
    return facts


def frechet_of_some(features: Array, real: Array, count: int) -> float:
    """Mean over draws of `count` of the clips."""
    random = np.random.default_rng(0)
    draws = [random.permutation(len(features))[:count] for _ in range(REPEATS)]
    return float(np.mean([frechet(features[draw], real) for draw in draws]))


def of_reconstructions(samples: Array, rebuilt: Array, real: Array) -> float:
    """Fréchet distance as a multiple of the reconstructions', as many of both, to the same held-out clips, none of
    which is an original of a reconstruction: a distance of few clips is too large, and so would one of both be."""
    count = min(len(samples), len(rebuilt))
    return frechet_of_some(samples, real, count) / frechet_of_some(rebuilt, real, count)


def models(args: argparse.Namespace, test: Clips, labels: list[Labels] | None) -> dict[str, Any]:
    tokenizer = load_tokenizer(args.tokenizer)
    fidelities, tokens = reconstruction(tokenizer, test.array[: args.fidelity_count])
    facts: dict[str, Any] = {"tokenizer": fidelities}
    if args.mebt:
        facts["nll"] = likelihood(load_mebt(args.mebt), tokens[: args.nll_count], labels)
    return facts


def named(text: str) -> tuple[str, Path]:
    """NAME=FOLDER, or FOLDER."""
    name, _, path = text.rpartition("=")
    return name or Path(path).name, Path(path)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--network", type=Path, required=True, help="of recipe.evaluate.network")
    parser.add_argument("--test", type=Path, required=True, help="the renderer's held-out clips, .npy")
    parser.add_argument("--test-labels", type=Path, help=".jsonl")
    parser.add_argument("--reconstructions", type=Path, help="folder: the first clips of --test through the tokenizer")
    parser.add_argument("--samples", nargs="*", default=[], metavar="NAME=FOLDER")
    parser.add_argument("--count", type=int, help="clips of each folder, at most")
    parser.add_argument("--proof", type=int, default=0, metavar="N", help="damage N clips")
    parser.add_argument("--tokenizer", type=Path)
    parser.add_argument("--mebt", type=Path)
    parser.add_argument("--fidelity-count", type=int, default=64)
    parser.add_argument("--nll-count", type=int, default=16)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=0, help="0: as many as PyTorch takes")
    parser.add_argument("--out", type=Path, required=True, help="folder")
    return parser.parse_args()


def evaluate(args: argparse.Namespace, kept: dict[str, Any]) -> dict[str, Any]:
    """The report: what `args` ask for, over what is kept of an earlier one."""
    network = load_network(args.network, args.device)
    test = open_clips(args.test, "held-out clips")
    labels = read_labels([args.test_labels], len(test)) if args.test_labels else None
    lengths: dict[int, Array] = {}

    def real(frames: int) -> Array:
        """Features of the held-out clips, cut to as many frames as the clips to be compared have."""
        frames = min(frames, test.array.shape[1])
        if frames not in lengths:
            lengths[frames] = features_of(network, test.array[:, :frames])
        return lengths[frames]

    features = real(test.array.shape[1])
    checkpoint = hashlib.sha256(args.network.read_bytes()).hexdigest()
    same = kept.get("network_sha256") == checkpoint  # distances of other networks do not stand beside one another
    report: dict[str, Any] = {name: kept[name] for name in kept if same or name in ("tokenizer", "nll")}
    report["network_sha256"] = checkpoint
    accuracies = args.network.with_suffix(".json")
    if accuracies.exists():
        report["network"] = json.loads(accuracies.read_text())
    held = kept.get("held_out", {})
    tell = any(open_clips(named(text)[1]).scenes for text in args.samples)
    if not same or held.get("clips") != len(test) or (tell and "told" not in held):
        report["held_out"] = measure_real(test, network, features, labels, held, tell or "told" in held)
    rebuilt = features[:0]
    if args.reconstructions:
        clips = open_clips(args.reconstructions, "reconstructions")
        size, rebuilt = len(clips), features_of(network, clips.array)
        report["reconstructions"] = measure(clips, rebuilt, features[size:], features[:size])
    rows = {row["name"]: row for row in report.get("samples", [])}
    for text in args.samples:
        name, path = named(text)
        print(f"samples: {name}", flush=True)
        clips = open_clips(path, name, args.count)
        found, outs = read_clips(network, clips.array[:, -test.array.shape[1] :])  # of longer clips their ends
        rows[name] = row = measure(clips, found, real(clips.array.shape[1]))
        if clips.scenes:
            row["told"] = describe_told(network.targets, outs, clips.scenes, clips.array)
        if "distance" in row and len(rebuilt) and clips.array.shape[1] >= test.array.shape[1]:
            row["frechet_of_reconstructions"] = of_reconstructions(found, rebuilt, features[len(rebuilt) :])
    report["samples"] = list(rows.values())
    if args.proof:
        report["proof"] = prove(test.array, features, labels, lambda clips: features_of(network, clips), args.proof)
    if args.tokenizer:
        report |= models(args, test, labels)
    return report


def main() -> None:
    args = parse()
    if args.threads:
        torch.set_num_threads(args.threads)
    args.out.mkdir(parents=True, exist_ok=True)
    path = args.out / "evaluation.json"
    kept = json.loads(path.read_text()) if path.exists() else {}
    report = evaluate(args, kept)
    path.write_text(json.dumps(rounded(report), indent=1) + "\n")
    text = markdown(report)
    (args.out / "evaluation.md").write_text(text)
    draw(report, args.out / "evaluation.png")
    print(text)


def rounded(value: Any) -> Any:
    """Six digits: more is noise, and makes files that nobody can read."""
    if isinstance(value, dict):
        return {name: rounded(part) for name, part in value.items()}
    if isinstance(value, list):
        return [rounded(part) for part in value]
    return float(np.format_float_positional(value, 6, fractional=False)) if isinstance(value, float) else value


if __name__ == "__main__":
    main()
