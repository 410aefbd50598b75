"""Trains the tokenizer on rendered clips. Resumable: run it again with the same --out and it goes on.

Loss: |x - x'| + (x - x')^2, both weighted by local contrast, + edges (differences of neighbours in space and time) +
commitment (Eq. 1 of the paper; the codebook follows by moving average). `python -m recipe.tokenizer.train --help` lists
the options.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ..data import Clips
from ..optim import Average, Optimizer, Run, append_log, psnr
from .model import Tokenizer, TokenizerConfig


def edge_loss(a: Tensor, b: Tensor) -> Tensor:
    """Mean absolute error of differences between neighbours along time, rows and columns."""
    difference = a - b
    return sum((difference.diff(dim=axis).abs().mean() for axis in (2, 3, 4)), start=torch.zeros(()))


def contrast_weight(target: Tensor) -> Tensor:
    """How much a pixel counts: 1 where it equals its 3 x 3 neighbourhood, up to 5 where it stands out.

    Stars, the moon's rim and tree tops are a few pixels in a thousand; without this, a blur costs next to nothing.
    """
    frames = target.transpose(1, 2).flatten(0, 1)
    around = F.avg_pool2d(F.pad(frames, (1, 1, 1, 1), mode="replicate"), 3, 1)
    contrast = (frames - around).abs().mean(1).unflatten(0, (target.shape[0], target.shape[2])).unsqueeze(1)
    return 1 + 16 * contrast.clamp_max(0.25)


def reconstruction_loss(video: Tensor, target: Tensor) -> Tensor:
    error, weight = video - target, contrast_weight(target)
    return (weight * (error.abs() + 4 * error.square())).mean() + 0.5 * edge_loss(video, target)


@torch.no_grad()
def evaluate(model: Tokenizer, clips: Clips, count: int) -> tuple[float, float]:
    """(mean PSNR in dB, share of the codes in use) over whole held-out clips, in float32 weights under bfloat16."""
    model.eval()
    scores, used = [], torch.zeros(model.config.codes)
    for index in range(min(count, len(clips))):
        video = clips.read(index).unsqueeze(0)
        with torch.autocast("cpu", torch.bfloat16):
            ids = model.tokens(video)
            decoded = model.decode_tokens(ids)
        scores.append(psnr(decoded.float(), video))
        used += torch.bincount(ids.flatten(), minlength=model.config.codes)
    model.train()
    return float(np.mean(scores)), float((used > 0).float().mean())


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--train", type=Path, required=True, help="training clips, .npy of uint8 [N, T, H, W, 3]")
    parser.add_argument("--validation", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True, help="folder for the checkpoint and the log")
    parser.add_argument("--minutes", type=float, default=35.0)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--frames", type=int, default=16)
    parser.add_argument("--lr", type=float, default=2e-3)
    parser.add_argument("--codes", type=int, default=1024)
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


def main() -> None:
    args = parse()
    args.out.mkdir(parents=True, exist_ok=True)
    path, log = args.out / "tokenizer.pt", args.out / "tokenizer.jsonl"
    torch.manual_seed(args.seed)
    model = Tokenizer(TokenizerConfig(codes=args.codes))
    matrices = [p for p in model.parameters() if p.ndim == 2 and min(p.shape) > 16]
    others = [p for p in model.parameters() if not (p.ndim == 2 and min(p.shape) > 16)]
    optimizer, average = Optimizer(matrices, others, args.lr, 0.0), Average(model, 0.99)
    run = Run(path, model, model.config.to_json(), (optimizer, average), args.minutes)
    clips, validation = Clips(args.train), Clips(args.validation)

    while run.clock.progress < 1:
        random = np.random.default_rng((args.seed, run.step))
        video = clips.batch(args.batch, args.frames, random)
        with torch.autocast("cpu", torch.bfloat16):
            quantized, commitment, ids = model.codebook(model.encode(video))
            decoded = model.decode(quantized)
        loss = reconstruction_loss(decoded.float(), video)
        (loss + 0.25 * commitment).backward()
        norm = float(torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0))
        run.update(warmup=60)
        if run.step % 20 == 0:
            append_log(
                log,
                step=run.step,
                minutes=run.clock.used / 60,
                loss=loss.item(),
                psnr=psnr(decoded.detach().float(), video),
                commitment=commitment.item(),
                codes_in_batch=ids.unique().numel(),
                gradient=norm,
            )
        if run.step % 100 == 0:
            run.save()
            score, used = evaluate(model, validation, 8)
            append_log(log, step=run.step, minutes=run.clock.used / 60, validation_psnr=score, codes_used=used)
    run.save()
    average.load_into(model)
    score, used = evaluate(model, validation, 64)
    append_log(log, step=run.step, minutes=run.clock.used / 60, averaged_validation_psnr=score, codes_used=used)


if __name__ == "__main__":
    main()
