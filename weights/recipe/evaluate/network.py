"""A small video network that reads the renderer's labels off a clip; its last features are what clips are compared by.

Some of the clips it sees are damaged (noise, blur, shuffled frames; recipe.evaluate.damage), and how much is a label as
the others are: what is sharp and what moves evenly has to be in its features.

`python -m recipe.evaluate.network --train runs/train.npy --labels runs/train.jsonl --test runs/test.npy --test-labels
runs/test.jsonl --out runs/network.pt` trains it and prints how well it reads held-out clips, label by label (also as
JSON beside the checkpoint). Any number of frames and any size from 32 up; the same on a GPU (`--device cuda`).
"""

from __future__ import annotations

import argparse
import json
import math
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .damage import VISIBLE, damaged
from .labels import Array, Target, angle_of, apart, choose_targets, encode, read_labels, transformed

FEATURES = 64  # few enough that a covariance can be estimated from some hundred clips
CHANNELS = (32, 64, 96, 128)
FINE = 32  # frames, rows and columns in which motion is looked for
MOTION = 7  # channels of it

# Each at a twelfth of the clips, where a quarter is damaged: about this mean and deviation.
DAMAGE_TARGETS = tuple(Target(name, "number", (), 0.05, 0.18) for name in VISIBLE)


def stage(inputs: int, outputs: int, stride: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv3d(inputs, outputs, 3, stride, 1, bias=False), nn.BatchNorm3d(outputs), nn.GELU(approximate="tanh")
    )


def motion_channels(video: Tensor) -> Tensor:
    """[B, 3, T, H, W] -> [B, MOTION, T', H', W']: products of the gradients of brightness in space and time, the terms
    of the equation of optical flow (Lucas and Kanade 1981), by blocks. Which way clouds drift is there to be read;
    from pixels alone a small network learns it only from many more clips than there are.
    """
    level = video.float().mean(1, keepdim=True)
    frames, rows, columns = (min(n, FINE) for n in level.shape[2:])
    level = F.adaptive_avg_pool3d(level, (frames, rows, columns))
    t = level[:, :, 1:, 1:-1, 1:-1] - level[:, :, :-1, 1:-1, 1:-1]
    mean = (level[:, :, 1:] + level[:, :, :-1]) / 2
    y = (mean[..., 2:, 1:-1] - mean[..., :-2, 1:-1]) / 2
    x = (mean[..., 1:-1, 2:] - mean[..., 1:-1, :-2]) / 2
    products = torch.cat([x * t, y * t, x * x, x * y, y * y, t * t], 1)
    blocks = F.adaptive_avg_pool3d(products, (max(1, frames // 4), max(1, rows // 4), max(1, columns // 4)))
    strength = blocks[:, 2:3] + blocks[:, 4:5] + 1e-5
    return torch.cat([2 * (blocks / strength).clamp(-2, 2), strength.log() / 4 + 2], 1)


class Network(nn.Module):
    """[B, 3, T, H, W] in [-0.5, 0.5] -> features [B, FEATURES] -> a few numbers for every target."""

    def __init__(self, targets: Sequence[Target]):
        super().__init__()
        self.targets = tuple(targets)
        a, b, c, d = CHANNELS
        self.eyes = nn.Sequential(
            nn.Conv3d(3, a, 4, 4, bias=False), nn.BatchNorm3d(a), nn.GELU(approximate="tanh"), stage(a, b, 2)
        )
        self.body = nn.Sequential(stage(b + MOTION, c, 1), stage(c, d, 2), nn.AdaptiveAvgPool3d((2, 2, 2)))
        self.embed = nn.Linear(8 * d, FEATURES)
        self.head = nn.Linear(FEATURES, sum(target.outputs for target in targets))

    def features(self, video: Tensor) -> Tensor:
        seen = self.eyes(video)
        motion = F.adaptive_avg_pool3d(motion_channels(video), seen.shape[2:])
        return self.embed(self.body(torch.cat([seen, motion.to(seen)], 1)).flatten(1))

    def forward(self, video: Tensor) -> tuple[Tensor, ...]:
        """What it reads, one tensor [B, outputs] a target."""
        return self.head(F.gelu(self.features(video))).split([target.outputs for target in self.targets], 1)


def to_video(clips: Array, device: torch.device | str = "cpu") -> Tensor:
    """uint8 [B, T, H, W, 3] -> float [B, 3, T, H, W] in [-0.5, 0.5], channels last in memory."""
    video = torch.from_numpy(np.array(clips)).to(device).float().div_(255).sub_(0.5)
    return video.permute(0, 4, 1, 2, 3)


def target_loss(target: Target, out: Tensor, value: Tensor) -> Tensor:
    """[B, outputs], [B] -> [B]; about 1 where nothing is known, whatever the kind."""
    match target.kind:
        case "choice":
            return F.cross_entropy(out, value.long(), reduction="none") / math.log(len(target.classes))
        case "flag":
            return F.binary_cross_entropy_with_logits(out[:, 0], value, reduction="none") / math.log(2)
        case "angle":
            a = torch.deg2rad(value)
            return (out - torch.stack([a.cos(), a.sin()], 1)).square().sum(1)
    return F.smooth_l1_loss(out[:, 0], value, reduction="none") * 2


def loss_of(targets: Sequence[Target], outs: Sequence[Tensor], values: Tensor, valid: Tensor) -> Tensor:
    """Mean over the targets of the mean over the clips to which a target applies."""
    total = values.new_zeros(())
    for k, (target, out) in enumerate(zip(targets, outs, strict=True)):
        weight = valid[:, k].float()
        total = total + (target_loss(target, out, values[:, k]) * weight).sum() / weight.sum().clamp_min(1)
    return total / len(targets)


@torch.no_grad()
def read_clips(network: Network, clips: Array, batch: int = 16) -> tuple[Array, list[Array]]:
    """uint8 [N, T, H, W, 3] -> features [N, FEATURES] and, for each target, what is read [N, outputs]."""
    network.eval()
    device = next(network.parameters()).device
    features, outs = [], []
    for start in range(0, len(clips), batch):
        found = network.features(to_video(clips[start : start + batch], device))
        features.append(found.cpu().double().numpy())
        outs.append(
            [out.cpu().numpy() for out in network.head(F.gelu(found)).split([t.outputs for t in network.targets], 1)]
        )
    return np.concatenate(features), [np.concatenate(parts) for parts in zip(*outs, strict=True)]


def features_of(network: Network, clips: Array, batch: int = 16) -> Array:
    """[N, FEATURES], float64."""
    return read_clips(network, clips, batch)[0]


def accuracy(targets: Sequence[Target], outs: Sequence[Array], values: Array, valid: Array) -> dict[str, Any]:
    """By label: share read rightly beside that of the commonest value, or R² and mean absolute error in its unit."""
    report: dict[str, Any] = {}
    for k, (target, out) in enumerate(zip(targets, outs, strict=True)):
        known = valid[:, k]
        if not known.any():
            continue
        read, truth = out[known], values[known, k]
        facts: dict[str, Any] = {"kind": target.kind, "clips": int(known.sum())}
        if target.kind == "angle":
            facts["mean_error_degrees"] = float(apart(angle_of(read), truth).mean())
        elif target.kind == "number":
            error = read[:, 0] - truth
            facts["r2"] = float(1 - (error**2).mean() / max(truth.var(), 1e-12))
            facts["mean_error"] = float(np.abs(error).mean() * target.deviation)
        else:
            guess = read.argmax(1) if target.kind == "choice" else read[:, 0] > 0
            facts["right"] = float((guess == truth).mean())
            facts["commonest"] = float(np.unique(truth, return_counts=True)[1].max() / len(truth))
        report[target.name] = facts
    return report


def train(
    clips: Array,
    rows: Sequence[dict[str, Any]],
    epochs: float,
    batch: int,
    lr: float,
    seed: int,
    device: str,
    start: Network | None = None,
    share: float = 0.0,
) -> Network:
    """Clips uint8 [N, T, H, W, 3], with their labels; mirrored and reversed at random. `start`: all but its last layer
    is taken over, whatever it was trained to read. `share` of the clips is damaged, and how much is a label, too."""
    torch.manual_seed(seed)
    random = np.random.default_rng(seed)
    targets = choose_targets(rows) + (DAMAGE_TARGETS if share else ())
    network = Network(targets)
    if start is not None:
        kept = {name: value for name, value in start.state_dict().items() if not name.startswith("head.")}
        network.load_state_dict(kept, strict=False)
    network = network.to(device).to(memory_format=torch.channels_last_3d)
    optimizer = torch.optim.AdamW(network.parameters(), lr=lr, weight_decay=0.05, betas=(0.9, 0.98))
    steps = max(1, round(epochs * len(clips) / batch))
    plan = torch.optim.lr_scheduler.OneCycleLR(optimizer, lr, steps, pct_start=0.15)
    order = np.concatenate([random.permutation(len(clips)) for _ in range(math.ceil(epochs) + 1)])
    began = told = time.monotonic()
    sliding = 1.0
    network.train()
    for step in range(steps):
        m, b = (int(x) for x in random.integers(2, size=2))
        picks = np.sort(order[step * batch : (step + 1) * batch])
        some, labels = damaged(clips[picks], [transformed(rows[i], bool(m), bool(b)) for i in picks], share, random)
        values, valid = (torch.from_numpy(table).to(device) for table in encode(labels, targets))
        video = to_video(some, device).flip(([2] if b else []) + ([4] if m else []))
        loss = loss_of(targets, network(video), values, valid)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        plan.step()
        sliding = 0.95 * sliding + 0.05 * loss.item()
        if time.monotonic() - told > 20 or step == steps - 1:
            told = time.monotonic()
            left = (told - began) / (step + 1) * (steps - step - 1)
            print(f"step {step + 1}/{steps}  loss {sliding:.3f}  {left:.0f} s left", flush=True)
    return network.eval()


def read_damages(network: Network, clips: Array, seed: int = 0) -> dict[str, Any]:
    """How well it reads the damages of held-out clips, all of which are damaged; nothing where it never learned to."""
    if not {target.name for target in network.targets} & set(VISIBLE):
        return {}
    some, labels = damaged(clips, [{}] * len(clips), 1.0, np.random.default_rng(seed))
    return accuracy(network.targets, read_clips(network, some)[1], *encode(labels, network.targets))


def save_network(network: Network, path: Path) -> None:
    """Kernels and matrices in float16, so that it can lie beside the numbers that it is behind."""
    state = {name: (value.half() if value.ndim > 1 else value).cpu() for name, value in network.state_dict().items()}
    torch.save({"targets": [target.to_json() for target in network.targets], "state": state}, path)


def load_network(path: Path, device: str = "cpu") -> Network:
    data = torch.load(path, weights_only=True)
    network = Network([Target.from_json(target) for target in data["targets"]])
    network.load_state_dict(data["state"])
    return network.to(device).to(memory_format=torch.channels_last_3d).requires_grad_(False).eval()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--train", type=Path, required=True, help="clips, .npy of uint8 [N, T, H, W, 3]")
    parser.add_argument("--labels", type=Path, nargs="+", required=True, help=".jsonl, in the clips' order")
    parser.add_argument("--test", type=Path, required=True)
    parser.add_argument("--test-labels", type=Path, nargs="+", required=True)
    parser.add_argument("--out", type=Path, required=True, help="checkpoint; the accuracies go beside it, as .json")
    parser.add_argument("--start", type=Path, help="network to go on from; its labels may be other ones")
    parser.add_argument("--epochs", type=float, default=12)
    parser.add_argument("--damaged", type=float, default=0.25, help="share of the clips that is damaged, to be told")
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--lr", type=float, default=3e-3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=0, help="0: as many as PyTorch takes")
    args = parser.parse_args()
    if args.threads:
        torch.set_num_threads(args.threads)
    clips, test = np.load(args.train, mmap_mode="r"), np.load(args.test, mmap_mode="r")
    rows = read_labels(args.labels, len(clips))
    start = load_network(args.start) if args.start else None
    network = train(clips, rows, args.epochs, args.batch, args.lr, args.seed, args.device, start, args.damaged)
    save_network(network, args.out)
    network = load_network(args.out, args.device)
    values, valid = encode(read_labels(args.test_labels, len(test)), network.targets)
    _, outs = read_clips(network, test)
    facts = {
        "training_clips": len(clips),
        "epochs": args.epochs,
        "held_out_clips": len(test),
        "parameters": sum(p.numel() for p in network.parameters()),
        "labels": accuracy(network.targets, outs, values, valid),
    }
    facts["labels"] |= read_damages(network, test[:48])
    text = json.dumps(facts, indent=1)
    args.out.with_suffix(".json").write_text(text + "\n")
    print(text)


if __name__ == "__main__":
    main()
