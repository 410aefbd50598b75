"""Trains the decoder of a finished tokenizer on, under other losses. Encoder and codebook stay as they are, bit by bit,
so no token changes, and a transformer that was trained on the tokens stays right. Resumable, as recipe.tokenizer.train.

`python -m recipe.tokenizer.refine --tokenizer runs/tokenizer.pt --train runs/train.npy --validation runs/validation.npy
--losses all --perceptual runs/perceptual.pt --out runs/refined` writes runs/refined/tokenizer.pt, which every command
that takes a tokenizer reads. Losses: `plain`, those of recipe.tokenizer.train (how much is due to more training alone);
`l1`, |x - x'| and nothing else (the baseline); `perceptual`, plain and the features of recipe.tokenizer.perceptual;
`adversarial`, plain and a critic (recipe.tokenizer.critic); `all`, plain and both.
A cut is encoded as it is decoded, by itself: a token at its border has seen the border repeated, not what lies beyond.
The frozen encoder takes about a tenth of a step.
"""

from __future__ import annotations

import argparse
import hashlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..data import Clips
from ..optim import Average, Optimizer, Run, psnr
from ..workers import Workers, join_workers
from .balance import Balance, Costs
from .critic import Critic, matching
from .load import load_tokenizer
from .model import Tokenizer, decoder_parts
from .perceptual import Eye, load_eye
from .train import evaluate, reconstruction_loss

LOSSES = ("plain", "l1", "perceptual", "adversarial", "all")
RAMP = 0.1  # share of the run over which the critic's say grows after its warm-up
CRITIC_BETAS = (0.5, 0.9)


class Recipe:
    """How a run was begun; going on otherwise is an error."""

    def __init__(self, **facts: str | float):
        self.facts: dict[str, Any] = facts

    def state_dict(self) -> dict[str, Any]:
        return dict(self.facts)

    def load_state_dict(self, state: dict[str, Any], /) -> None:
        if state != self.facts:
            raise ValueError(f"this folder was begun with {state}, not {self.facts}. Name another folder.")


@dataclass
class Refinement:
    """The losses on a decoder's output, and the networks that they need."""

    losses: str
    shares: dict[str, float]
    warm_up: float
    frames: int  # of a cut, that the eye sees
    balance: Balance
    workers: Workers
    eye: Eye | None = None
    critic: Critic | None = None
    teacher: torch.optim.Optimizer | None = None  # the critic's optimizer
    costs: Costs = field(default_factory=Costs)
    facts: dict[str, float] = field(default_factory=dict)  # of the last step, for the log

    def gradient(self, decoded: Tensor, video: Tensor, progress: float, random: np.random.Generator) -> Tensor:
        """d(loss) / d(decoded); both [B, 3, T, H, W], float32."""
        error = decoded - video
        losses = {"plain": error.abs().mean() if self.losses == "l1" else reconstruction_loss(decoded, video)}
        if self.eye:
            with self.costs.part("perceptual"), self.workers.autocast():
                losses["perceptual"] = self._seen(decoded, video, random)
        shares, say = dict(self.shares), min(1.0, max(0.0, (progress - self.warm_up) / RAMP))
        if self.critic and say:
            with self.costs.part("adversarial"), self.workers.autocast():
                score, found = self.critic(decoded)
                with torch.no_grad():
                    _, truth = self.critic(video)
                losses |= {"adversarial": -score.mean(), "matching": matching(found, truth)}
            shares |= {name: say * shares[name] for name in ("adversarial", "matching")}
        self.facts = {name: loss.item() for name, loss in losses.items()}
        with self.costs.part("gradients"):
            return self.balance.gradient(decoded, losses, shares)

    def _seen(self, decoded: Tensor, video: Tensor, random: np.random.Generator) -> Tensor:
        assert self.eye
        picks = torch.from_numpy(np.sort(random.permutation(video.shape[2])[: self.frames])).to(video.device)
        pictures = [x.index_select(2, picks).transpose(1, 2).flatten(0, 1) for x in (decoded, video)]
        a, b = (x.contiguous(memory_format=torch.channels_last) for x in pictures)
        return self.eye.distance(a, b)

    def teach(self, decoded: Tensor, video: Tensor) -> None:
        """One step of the critic, on what the decoder has just made."""
        if not (self.critic and self.teacher):
            return
        with self.costs.part("adversarial"):
            with self.workers.autocast():
                real, fake = self.critic(video)[0], self.critic(decoded.detach())[0]
            loss = self.critic.hinge(real, fake)
            self.teacher.zero_grad(set_to_none=True)
            loss.backward()
            self.workers.average_gradients(self.critic.parameters())
            self.teacher.step()
        right = ((real > 0).float().mean() + (fake < 0).float().mean()) / 2
        self.facts |= {"critic": loss.item(), "critic_right": float(right)}

    def beside(self) -> dict[str, Any]:
        """What the checkpoint keeps for the losses."""
        parts: dict[str, Any] = {"balance": self.balance, "costs": self.costs}
        return parts | ({"critic": self.critic, "teacher": self.teacher} if self.critic else {})


def freeze_all_but_decoder(model: Tokenizer) -> None:
    """In eval mode the codebook does not move, either."""
    model.eval().requires_grad_(False)
    for part in decoder_parts(model):
        part.requires_grad_(True)


def decoder_optimizer(model: Tokenizer, lr: float) -> Optimizer:
    parameters = [p for p in model.parameters() if p.requires_grad]
    matrices = [p for p in parameters if p.ndim == 2 and min(p.shape) > 16]
    others = [p for p in parameters if not (p.ndim == 2 and min(p.shape) > 16)]
    return Optimizer(matrices, others, lr, 0.0)


def set_up(args: argparse.Namespace, model: Tokenizer, workers: Workers) -> Refinement:
    shares = {name: float(getattr(args, f"share_{name}")) for name in ("perceptual", "adversarial", "matching")}
    eye = critic = teacher = None
    if args.losses in ("perceptual", "all"):
        if not args.perceptual:
            raise SystemExit(f"--losses {args.losses} needs --perceptual, a file of recipe.tokenizer.perceptual")
        eye = load_eye(args.perceptual, workers.device)
    if args.losses in ("adversarial", "all"):
        critic = Critic().to(workers.device).to(memory_format=torch.channels_last_3d)
        teacher = torch.optim.AdamW(critic.parameters(), lr=args.critic_lr, betas=CRITIC_BETAS, weight_decay=0.0)
    balance = Balance(model.output.weight, workers)
    return Refinement(args.losses, shares, args.warm_up, args.perceptual_frames, balance, workers, eye, critic, teacher)


def step(
    model: Tokenizer, losses: Refinement, run: Run, progress: float, video: Tensor, random: np.random.Generator
) -> None:
    """One step of the decoder, and of the critic where there is one."""
    with losses.costs.part("tokenizer"):
        with losses.workers.autocast():
            with torch.no_grad():
                ids = model.tokens(video)
            decoded = model.decode_tokens(ids)
        decoded = decoded.float()
    gradient = losses.gradient(decoded, video, progress, random)
    with losses.costs.part("tokenizer"):
        decoded.backward(gradient)
        norm = run.update(warmup=20)
    losses.teach(decoded, video)
    losses.facts |= {"psnr": psnr(decoded.detach(), video), "gradient": norm}


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tokenizer", type=Path, required=True, help="the finished one; it is only read")
    parser.add_argument("--train", type=Path, required=True, help="training clips, .npy of uint8 [N, T, H, W, 3]")
    parser.add_argument("--validation", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True, help="folder for the new tokenizer and the log")
    parser.add_argument("--losses", choices=LOSSES, required=True)
    parser.add_argument("--perceptual", type=Path, help="of recipe.tokenizer.perceptual")
    parser.add_argument("--minutes", type=float, default=8.0)
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--frames", type=int, default=16)
    parser.add_argument("--crop", type=int, default=64, help="pixels a side of the cuts; 0: whole pictures")
    parser.add_argument("--lr", type=float, default=5e-4)
    parser.add_argument("--critic-lr", type=float, default=1e-3)
    parser.add_argument("--warm-up", type=float, default=0.2, help="share of the run in which the critic only learns")
    parser.add_argument("--perceptual-frames", type=int, default=4, help="frames of a cut that the eye sees")
    parser.add_argument("--share-perceptual", type=float, default=0.7, help="its gradient, of the plain losses'")
    parser.add_argument("--share-adversarial", type=float, default=0.3)
    parser.add_argument("--share-matching", type=float, default=0.5)
    parser.add_argument("--checked", type=int, default=4, help="held-out clips decoded before and after")
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


def refine(args: argparse.Namespace, workers: Workers) -> Run:
    args.out.mkdir(parents=True, exist_ok=True)
    path, log = args.out / "tokenizer.pt", args.out / "tokenizer.jsonl"
    torch.manual_seed(args.seed)
    model = load_tokenizer(args.tokenizer).to(workers.device)
    freeze_all_but_decoder(model)
    losses = set_up(args, model, workers)
    recipe = Recipe(
        losses=args.losses, tokenizer_sha256=hashlib.sha256(args.tokenizer.read_bytes()).hexdigest(), lr=args.lr
    )
    parts = (decoder_optimizer(model, args.lr), Average(model, 0.99))
    beside = {"recipe": recipe, **losses.beside()}
    run = Run(path, log, model, model.config.to_json(), parts, args.minutes, workers, beside)
    clips, validation = Clips(args.train), Clips(args.validation)

    def check(name: str) -> None:
        if workers.first and args.checked:
            score, used = evaluate(model, validation, args.checked, workers)
            model.eval()
            run.log(**{name: score, "codes_used": used})

    if run.step == 0:
        check("validation_psnr_before")
    while (progress := run.progress()) < 1:
        random = np.random.default_rng((args.seed, run.step, workers.rank))
        video = clips.batch(workers.share(args.batch), args.frames, random, args.crop).to(workers.device)
        step(model, losses, run, progress, video, random)
        if run.step % 20 == 0:
            spent = {f"seconds_{name}": seconds / run.step for name, seconds in losses.costs.spent.items()}
            run.log(**losses.facts, **spent)
        if run.step % 100 == 0:
            run.save()
    run.save()
    parts[1].load_into(model)
    check("averaged_validation_psnr")
    return run


if __name__ == "__main__":
    refine(parse(), join_workers())
