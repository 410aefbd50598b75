"""Measures a trained model on held-out clips and on clips that it samples; prints and writes JSON.

`python -m recipe.evaluate --tokenizer runs/tokenizer.pt --mebt runs/mebt.pt --clips runs/validation.npy --train-clips
runs/train.npy --samples 48 --out runs/evaluation.json`. Numbers of sampled clips stand beside those of held-out ones.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from .data import Clips
from .measures import Array, describe, fidelity, histogram_distance, hour, shares
from .mebt.load import load_mebt
from .mebt.model import Mebt
from .mebt.train import MASKED_SHARES, split_positions
from .quantized import quantized
from .sampling import SAMPLING, sample_tokens
from .tokenizer.load import load_tokenizer
from .tokenizer.model import Tokenizer

BATCH = 4


def as_uint8(video: Tensor) -> Array:
    """[3, T, H, W] in [-0.5, 0.5] -> uint8 [T, H, W, 3], rounded."""
    levels = ((video.clamp(-0.5, 0.5) + 0.5) * 255).round().to(torch.uint8)
    result: Array = levels.permute(1, 2, 3, 0).numpy()
    return result


def mean_of(rows: list[dict[str, float]], suffix: str = "") -> dict[str, float]:
    return {f"{name}{suffix}": float(np.mean([row[name] for row in rows])) for name in rows[0]}


@torch.no_grad()
def reconstruction(tokenizer: Tokenizer, clips: Clips, count: int) -> tuple[dict[str, float], Tensor]:
    """-> (PSNR with float and with int8 decoder, share of codes in use; token grids [N, T', H', W'])."""
    rounded = quantized(tokenizer)
    exact, small, grids = [], [], []
    for index in range(count):
        original = np.array(clips.array[index])
        ids = tokenizer.tokens(clips.read(index).unsqueeze(0))
        exact.append(fidelity(original, as_uint8(tokenizer.decode_tokens(ids)[0])))
        small.append(fidelity(original, as_uint8(rounded.decode_tokens(ids)[0])))
        grids.append(ids)
    tokens = torch.cat(grids)
    used = {"codes_in_use": tokens.unique().numel() / tokenizer.config.codes}
    return mean_of(exact) | mean_of(small, "_int8") | used, tokens


@torch.no_grad()
def held_out_nll(model: Mebt, tokens: Tensor) -> dict[str, float]:
    """Nats a token at fixed shares of masked tokens, fixed masks, float32."""
    result = {}
    for share in MASKED_SHARES:
        generator, total = torch.Generator().manual_seed(1), 0.0
        for part in tokens.flatten(1).split(BATCH):
            context, target = split_positions(len(part), part.shape[1], round(share * part.shape[1]), generator)
            logits = model(part, context, target)
            loss = F.cross_entropy(logits.flatten(0, 1), part.gather(1, target).flatten())
            total += loss.item() * len(part)
        result[str(share)] = total / len(tokens)
    return result


def sampled_clips(
    tokenizer: Tokenizer, mebt: Mebt, count: int, options: dict[str, float | int], seed: int
) -> Iterator[Array]:
    """Uncurated: seeds count up from `seed`."""
    for start in range(0, count, BATCH):
        ids = sample_tokens(
            mebt,
            min(BATCH, count - start),
            mebt.config.grid[0],
            int(options["steps"]),
            float(options["choiceTemperature"]),
            float(options.get("temperature", 1)),
            int(options.get("topK", 0)),
            int(options.get("bootstrap", 0)),
            int(options.get("revisePasses", 0)),
            float(options.get("reviseTemperature", 0.7)),
            seed=seed + start,
        )
        for one in ids:
            with torch.no_grad():
                video = tokenizer.decode_tokens(one.unsqueeze(0))[0]
            yield as_uint8(video)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tokenizer", type=Path, required=True)
    parser.add_argument("--mebt", type=Path, required=True)
    parser.add_argument("--clips", type=Path, required=True, help="held-out clips, .npy of uint8 [N, T, H, W, 3]")
    parser.add_argument("--train-clips", type=Path, help="for the hours that training clips have")
    parser.add_argument("--samples", type=int, default=48)
    parser.add_argument("--count", type=int, default=64, help="held-out clips to use")
    parser.add_argument("--nll-count", type=int, default=16, help="held-out clips for the likelihood")
    parser.add_argument("--sampling", type=json.loads, default={}, help='JSON over the defaults, e.g. {"steps": 32}')
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=0, help="0: as many as PyTorch takes")
    parser.add_argument("--out", type=Path, help="JSON file; printed in any case")
    return parser.parse_args()


def main() -> None:
    args = parse()
    if args.threads:
        torch.set_num_threads(args.threads)
    tokenizer, mebt = load_tokenizer(args.tokenizer), load_mebt(args.mebt)
    clips = Clips(args.clips)
    count = min(args.count, len(clips))
    options = SAMPLING | args.sampling
    fidelities, tokens = reconstruction(tokenizer, clips, count)
    report: dict[str, Any] = {"reconstruction": {"clips": count, **fidelities}}
    likelihood = tokens[: args.nll_count]
    report["nll"] = {
        "clips": len(likelihood),
        "float32": held_out_nll(mebt, likelihood),
        "int8": held_out_nll(quantized(mebt), likelihood),
    }
    report["held_out"] = held = describe([np.array(clips.array[i]) for i in range(count)])
    if args.train_clips:
        train = np.load(args.train_clips, mmap_mode="r")
        reference = shares([hour(train[i, :1]) for i in range(len(train))])
        report["train_hours"] = reference
    else:
        reference = held["hours"]
    held["hour_distance_to_train"] = histogram_distance(held["hours"], reference)
    if args.samples:
        made = describe(list(sampled_clips(tokenizer, mebt, args.samples, options, args.seed)))
        made["hour_distance_to_train"] = histogram_distance(made["hours"], reference)
        made["hour_distance_to_held_out"] = histogram_distance(made["hours"], held["hours"])
        report["samples"] = {"sampling": options, **made}
    text = json.dumps(report, indent=1)
    print(text)
    if args.out:
        args.out.write_text(text + "\n")


if __name__ == "__main__":
    main()
