"""Trains the tokenizer on rendered clips. Resumable: run it again with the same --out and it goes on.

Under `torchrun` every process takes its share of the batch; a GPU is used where there is one.
Loss: |x - x'| + (x - x')^2, both weighted by local contrast, + edges (differences of neighbours in space and time) +
commitment (Eq. 1 of the paper; the codebook follows by moving average). `python -m recipe.tokenizer.train --help` lists
the options.
With `--start` it goes on from another tokenizer; a transformer that reads its tokens can go on, too, as codes move
little. `--encoder-steps`: at first the encoder alone learns to speak the codes that are there (for one that is new).
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ..data import Clips
from ..optim import Average, Optimizer, Run, psnr
from ..workers import Workers, join_workers
from .load import load_tokenizer
from .model import TOKENIZERS, Tokenizer, decoder_parts


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
def evaluate(model: Tokenizer, clips: Clips, count: int, workers: Workers) -> tuple[float, float]:
    """(mean PSNR in dB, share of the codes in use) over whole held-out clips, in float32 weights under bfloat16."""
    model.eval()
    scores, used = [], torch.zeros(model.config.codes, device=workers.device)
    for index in range(min(count, len(clips))):
        video = clips.read(index).unsqueeze(0).to(workers.device)
        with workers.autocast():
            ids = model.tokens(video)
            decoded = model.decode_tokens(ids)
        scores.append(psnr(decoded.float(), video))
        used += torch.bincount(ids.flatten(), minlength=model.config.codes)
    model.train()
    return float(np.mean(scores)), float((used > 0).float().mean())


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", choices=list(TOKENIZERS), required=True)
    parser.add_argument("--train", type=Path, required=True, help="training clips, .npy of uint8 [N, T, H, W, 3]")
    parser.add_argument("--validation", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True, help="folder for the checkpoint and the log")
    parser.add_argument("--minutes", type=float, default=35.0)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--frames", type=int, default=16)
    parser.add_argument("--crop", type=int, default=0, help="pixels a side of the cuts; 0: whole pictures")
    parser.add_argument(
        "--open-steps",
        type=int,
        default=0,
        help="steps without the codebook, so that it starts on embeddings that tell",
    )
    parser.add_argument("--start", type=Path, help="checkpoint of a tokenizer of the same shape, to go on from")
    parser.add_argument("--encoder-steps", type=int, default=0, help="steps in which codebook and decoder stay")
    parser.add_argument("--lr", type=float, default=2e-3)
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


def begin(args: argparse.Namespace) -> Tokenizer:
    model = Tokenizer(TOKENIZERS[args.model])
    if args.start:
        model.load_state_dict(load_tokenizer(args.start).state_dict())
    return model


def hold_decoder(model: Tokenizer, held: bool) -> None:
    """Whether codebook and decoder stay as they are."""
    for part in decoder_parts(model):
        part.requires_grad_(not held)
    model.codebook.train(not held)


def main() -> None:
    args, workers = parse(), join_workers()
    args.out.mkdir(parents=True, exist_ok=True)
    path, log = args.out / "tokenizer.pt", args.out / "tokenizer.jsonl"
    torch.manual_seed(args.seed)
    model = begin(args).to(workers.device)
    matrices = [p for p in model.parameters() if p.ndim == 2 and min(p.shape) > 16]
    others = [p for p in model.parameters() if not (p.ndim == 2 and min(p.shape) > 16)]
    optimizer, average = Optimizer(matrices, others, args.lr, 0.0), Average(model, 0.99)
    run = Run(path, log, model, model.config.to_json(), (optimizer, average), args.minutes, workers)
    clips, validation = Clips(args.train), Clips(args.validation)

    while run.progress() < 1:
        random = np.random.default_rng((args.seed, run.step, workers.rank))
        video = clips.batch(workers.share(args.batch), args.frames, random, args.crop).to(workers.device)
        hold_decoder(model, run.step < args.encoder_steps)
        with workers.autocast():
            embeddings = model.encode(video)
            if run.step < args.open_steps:
                quantized, commitment, ids = embeddings, embeddings.new_zeros(()), torch.zeros(0, dtype=torch.long)
            else:
                quantized, commitment, ids = model.codebook(embeddings, workers)
            decoded = model.decode(quantized)
        loss = reconstruction_loss(decoded.float(), video)
        (loss + 0.25 * commitment).backward()
        norm = run.update(warmup=60)
        if run.step % 20 == 0:
            run.log(
                loss=loss.item(),
                psnr=psnr(decoded.detach().float(), video),
                commitment=commitment.item(),
                codes_in_batch=ids.unique().numel(),
                gradient=norm,
            )
        if run.step % 100 == 0:
            run.save()
            if workers.first and bool(model.codebook.ready):
                score, used = evaluate(model, validation, 8, workers)
                run.log(validation_psnr=score, codes_used=used)
    run.save()
    average.load_into(model)
    if workers.first:
        score, used = evaluate(model, validation, 64, workers)
        run.log(averaged_validation_psnr=score, codes_used=used)


if __name__ == "__main__":
    main()
