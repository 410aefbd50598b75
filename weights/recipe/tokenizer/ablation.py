"""What each loss buys: tokenizers side by side on held-out clips.

`python -m recipe.tokenizer.ablation --tokenizers base=runs/tokenizer.pt l1=runs/l1/tokenizer.pt --test runs/test.npy
--network runs/network.pt --out runs/ablation` writes ablation.json, ablation.md and ablation.png (the same cut of some
clips, original first). A row whose checkpoint, number of clips and network are those of the last report is kept. The
network is that of recipe.evaluate and no part of any loss.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from ..evaluate.clips import open_clips
from ..evaluate.distance import frechet, kernel_distance
from ..evaluate.network import Network, features_of, load_network, to_video
from ..evaluate.report import number, percent, table
from ..evaluate.sample import as_uint8
from ..measures import Array, edge_mask
from .fidelity import describe
from .load import load_tokenizer
from .model import Tokenizer

FEWEST = 8  # clips of which a distance is worth a number
SHOWN, CUT, ENLARGED = 6, 64, 3  # clips in the picture, pixels a side of a cut, times its size
COLUMNS = {
    "psnr": ("PSNR, dB", 2),
    "psnr_edges": ("on edges, dB", 2),
    "sharpness": ("sharpness", 3),
    "detail_match": ("detail right", 3),
    "flicker": ("flicker", 3),
    "flicker_of_error": ("of the error", 3),
    "pulse": ("pulse", 3),
}


def sha256(path: Path | None) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest() if path else ""


def encoder_key(model: Tokenizer) -> str:
    """Alike for tokenizers that give the same tokens: a hash of encoder and codebook."""
    digest = hashlib.sha256()
    for name, value in sorted(model.state_dict().items()):
        if name.startswith(("encoder", "pre_quantization")) or name == "codebook.codes":
            digest.update(name.encode() + value.numpy().tobytes())
    return digest.hexdigest()


@torch.no_grad()
def encode(model: Tokenizer, clips: Array) -> Tensor:
    """[N, T', H', W'], in float32 as every evaluation."""
    return torch.cat([model.tokens(to_video(clips[i : i + 1])) for i in range(len(clips))])


@torch.no_grad()
def decode(model: Tokenizer, ids: Tensor) -> Array:
    """-> uint8 [N, T, H, W, 3]."""
    return np.stack([as_uint8(model.decode_tokens(ids[i : i + 1])[0]) for i in range(len(ids))])


def training_of(path: Path) -> dict[str, Any]:
    """What the checkpoint tells of its training: losses, steps, minutes, seconds of the processor a step by part."""
    state = torch.load(path, weights_only=True, map_location="cpu")
    beside, steps = state.get("beside", {}), int(state["step"])
    facts = {"losses": beside.get("recipe", {}).get("losses", "base"), "steps": steps, "minutes": state["used"] / 60}
    if "costs" in beside:
        facts["processor_seconds_a_step"] = {name: s / max(steps, 1) for name, s in beside["costs"].items()}
    return facts


def measure(model: Tokenizer, ids: Tensor, clips: Array, decoded: Array) -> dict[str, Any]:
    rows = [
        describe(np.array(clip), made, model.config.downsample[0]) for clip, made in zip(clips, decoded, strict=True)
    ]
    means = {name: float(np.mean([row[name] for row in rows])) for name in rows[0]}
    return means | {"codes_in_use": ids.unique().numel() / model.config.codes}


def distances(network: Network, decoded: Array, originals: Array) -> dict[str, float]:
    """Of reconstructions to their own originals: 0 where nothing is lost, so that few clips tell small differences."""
    found = features_of(network, decoded)
    return {"frechet": frechet(found, originals), "kernel": kernel_distance(found, originals)}


def markdown(report: dict[str, Any]) -> str:
    rows = report["tokenizers"]
    head = ["", *(title for title, _ in COLUMNS.values()), "codes used", "Fréchet", "steps", "s a step"]
    lines = []
    for row in rows:
        training, distance = row["training"], row.get("distance", {})
        seconds = training.get("processor_seconds_a_step")
        cells = [number(row[name], digits) for name, (_, digits) in COLUMNS.items()]
        cells += [percent(row["codes_in_use"]), number(distance.get("frechet"), 3), str(training["steps"])]
        lines.append([row["name"], *cells, number(sum(seconds.values()) if seconds else None)])
    note = (
        f"{report['clips']} held-out clips of {report['frames']} frames. Sharpness: energy of fine detail on edges, "
        "of the original's; detail right: its correlation with the original's. Flicker: change at borders of latent "
        "frames over change elsewhere, of the original's; of the error: the same for the error. Pulse: the most "
        "that change at a place within latent frames is off the original's. Fréchet: to the own originals, "
        "in the features of recipe.evaluate. s a step: of the processor, all threads.\n"
    )
    return table(head, lines) + "\n" + note


def busiest_cut(clip: Array) -> tuple[int, int, int]:
    """(frame, top, left) of the cut in the middle frame with the most edges, on a grid of half cuts."""
    middle = len(clip) // 2
    edges = edge_mask(clip[middle : middle + 1])[0]
    side = min(CUT, *edges.shape)
    places = [
        (y, x)
        for y in range(0, edges.shape[0] - side + 1, max(1, side // 2))
        for x in range(0, edges.shape[1] - side + 1, max(1, side // 2))
    ]
    top, left = max(places, key=lambda place: edges[place[0] : place[0] + side, place[1] : place[1] + side].sum())
    return middle, top, left


def draw(originals: Array, made: Sequence[Array], path: Path) -> None:
    """A row a clip: original, then each tokenizer's."""
    rows = []
    for i in range(min(SHOWN, len(originals))):
        frame, y, x = busiest_cut(originals[i])
        cuts = [clips[i][frame, y : y + CUT, x : x + CUT] for clips in (originals, *made)]
        rows.append(np.concatenate(cuts, 1))
    picture = Image.fromarray(np.concatenate(rows))
    picture.resize((picture.width * ENLARGED, picture.height * ENLARGED), Image.Resampling.NEAREST).save(path)


def compare(
    named: dict[str, Path], clips: Array, network: Path | None, kept: dict[str, Any], out: Path
) -> dict[str, Any]:
    """The report; written after every row, as a row takes minutes."""
    same = kept.get("network_sha256") == sha256(network) and kept.get("clips") == len(clips)
    old = {row["sha256"]: row for row in kept.get("tokenizers", [])} if same else {}
    report: dict[str, Any] = {"clips": len(clips), "frames": clips.shape[1], "network_sha256": sha256(network)}
    report["tokenizers"] = []
    reader = load_network(network) if network and len(clips) >= FEWEST else None
    originals = features_of(reader, clips) if reader else None
    grids: dict[str, Tensor] = {}
    made: list[Array] = []
    for name, path in named.items():
        model, row = load_tokenizer(path), old.get(sha256(path))
        key, count = encoder_key(model), len(clips) if row is None else min(SHOWN, len(clips))
        if key not in grids or len(grids[key]) < count:
            grids[key] = encode(model, clips[:count])
        decoded = decode(model, grids[key][:count])
        if row is None:
            row = {"sha256": sha256(path), "training": training_of(path), "tokens": key}
            row |= measure(model, grids[key], clips, decoded)
            if reader and originals is not None:
                row["distance"] = distances(reader, decoded, originals)
        report["tokenizers"].append(row | {"name": name})
        made.append(decoded[:SHOWN])
        print(f"{name}: {row['psnr']:.2f} dB, {row['psnr_edges']:.2f} on edges", flush=True)
        (out / "ablation.json").write_text(json.dumps(report, indent=1) + "\n")
    draw(clips, made, out / "ablation.png")
    return report


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tokenizers", nargs="+", required=True, metavar="NAME=PATH")
    parser.add_argument("--test", type=Path, required=True, help="held-out clips, .npy")
    parser.add_argument("--network", type=Path, help="of recipe.evaluate.network, for the Fréchet distance")
    parser.add_argument("--count", type=int, default=16, help="clips, at most")
    parser.add_argument("--out", type=Path, required=True, help="folder")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    written = args.out / "ablation.json"
    kept = json.loads(written.read_text()) if written.exists() else {}
    named = {name: Path(path) for name, _, path in (text.rpartition("=") for text in args.tokenizers)}
    report = compare(named, open_clips(args.test, count=args.count).array, args.network, kept, args.out)
    text = markdown(report)
    (args.out / "ablation.md").write_text(text)
    print(text)


if __name__ == "__main__":
    main()
