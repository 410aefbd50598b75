"""A small network that tells how a picture was damaged, and where; its features are what pictures are compared by.

`python -m recipe.tokenizer.perceptual --train runs/train.npy --validation runs/validation.npy --out runs/perceptual.pt`
trains it in minutes, on single frames and on damages of known place: blur, noise, lost points of light, blocks, steps
of colour, ghosts. No labels are needed. It is a loss for the decoder, and no metric: the network that the
Fréchet distance is measured in (recipe.evaluate.network) is another one, and must never become a loss, as a distance
that was trained for says nothing.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..data import Clips

WIDTHS = (16, 32, 64)  # channels at full, half and quarter size: most is seen at the size of a star
SQUARE = 16  # pixels a side of what is damaged in one way
BLOCK = 8  # of the squares whose mean the damage `blocks` draws near to
DIM = 0.05  # of the range of 1: detail of this size counts for half of what the strongest counts


def blurred(x: Tensor, times: int = 1) -> Tensor:
    """Box of 3 x 3 pixels, so many times."""
    for _ in range(times):
        x = F.avg_pool2d(F.pad(x, (1, 1, 1, 1), mode="replicate"), 3, 1)
    return x


def grainy(x: Tensor) -> Tensor:
    """Noise of a deviation between 0.5 and 16% of the range, each picture its own."""
    amount = 0.005 * 32 ** torch.rand(len(x), 1, 1, 1, device=x.device)
    return x + amount * torch.randn_like(x)


def without_points(x: Tensor) -> Tensor:
    """Opened by 3 x 3 pixels: stars and thin bright lines go."""
    eroded = -F.max_pool2d(-x, 3, 1, 1)
    return F.max_pool2d(eroded, 3, 1, 1)


def blocky(x: Tensor) -> Tensor:
    """Halfway to the mean of each 8 x 8 square, as a token stands for one."""
    mean = F.avg_pool2d(x, BLOCK)
    return (x + F.interpolate(mean, scale_factor=BLOCK)) / 2


def coarse(x: Tensor) -> Tensor:
    """Of half the size, enlarged again."""
    return F.interpolate(F.avg_pool2d(x, 2), scale_factor=2, mode="bilinear")


def stepped(x: Tensor) -> Tensor:
    """16 levels a channel."""
    return (x * 16).round() / 16


def ghosted(x: Tensor) -> Tensor:
    """Mixed with itself two pixels away."""
    return (x + x.roll((1, 2), (2, 3))) / 2


DAMAGES = {
    "blur": lambda x: blurred(x, 2),
    "noise": grainy,
    "points": without_points,
    "blocks": blocky,
    "coarse": coarse,
    "steps": stepped,
    "ghosts": ghosted,
}


def damaged(pictures: Tensor, random: torch.Generator) -> tuple[Tensor, Tensor]:
    """[B, 3, H, W] -> (the same, damaged in random squares; which damage is where [B, H/16, W/16], 0 for none)."""
    b, _, h, w = pictures.shape
    kinds = torch.randint(2 * len(DAMAGES), (b, h // SQUARE, w // SQUARE), generator=random) + 1
    kinds = kinds.where(kinds <= len(DAMAGES), 0).to(pictures.device)
    places = F.interpolate(kinds[:, None].float(), scale_factor=SQUARE)
    result = pictures
    for k, damage in enumerate(DAMAGES.values()):
        result = torch.where(places == k + 1, damage(pictures), result)
    return result, kinds


def seen(pictures: Tensor) -> Tensor:
    """[B, 3, H, W] -> [B, 6, H, W]: the picture, and its detail, compressed so that a dim texture is there, too."""
    detail = pictures - blurred(pictures)
    return torch.cat([2 * pictures, detail / (detail.abs() + DIM)], 1)


def layer(inputs: int, outputs: int, stride: int) -> list[nn.Module]:
    return [
        nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False),
        nn.BatchNorm2d(outputs),
        nn.LeakyReLU(0.2),
    ]


class Eye(nn.Module):
    """Pictures [B, 3, H, W] in [-0.5, 0.5] -> features at full, half and quarter size -> damages in 16 x 16 squares."""

    def __init__(self) -> None:
        super().__init__()
        inputs = (6, *WIDTHS[:-1])
        self.stages = nn.ModuleList(
            nn.Sequential(*layer(before, width, 1 if k == 0 else 2), *layer(width, width, 1))
            for k, (before, width) in enumerate(zip(inputs, WIDTHS, strict=True))
        )
        self.head = nn.Conv2d(WIDTHS[-1], 1 + len(DAMAGES), 1)
        for k, width in enumerate(WIDTHS):  # of the features over undamaged pictures; set by `measure`
            self.register_buffer(f"mean{k}", torch.zeros(width))
            self.register_buffer(f"scale{k}", torch.ones(width))

    def features(self, pictures: Tensor) -> list[Tensor]:
        x, found = seen(pictures), []
        for stage in self.stages:
            x = stage(x)
            found.append(x)
        return found

    def forward(self, pictures: Tensor) -> Tensor:
        """Logits [B, 1 + K, H/16, W/16]."""
        return self.head(F.avg_pool2d(self.features(pictures)[-1], SQUARE // 4))

    def directions(self, pictures: Tensor) -> list[Tensor]:
        """Features of each size, standardized by channel, then of length 1 at every place, shorter where hardly any is.

        What is dark or dim so counts as much as what is bright (Zhang et al. 2018); the floor keeps an empty sky's
        rounding from counting as a texture.
        """
        result = []
        for k, x in enumerate(self.features(pictures)):
            mean, scale = self.get_buffer(f"mean{k}"), self.get_buffer(f"scale{k}")
            x = (x.float() - mean[:, None, None]) / scale[:, None, None]
            result.append(x / (x.square().sum(1, keepdim=True) + 0.5 * x.shape[1]).sqrt())
        return result

    def distance(self, a: Tensor, b: Tensor) -> Tensor:
        """Mean squared distance of directions, summed over the sizes; `b` gets no gradient."""
        with torch.no_grad():
            truth = self.directions(b)
        found = self.directions(a)
        return sum(((x - y).square().sum(1).mean() for x, y in zip(found, truth, strict=True)), start=a.new_zeros(()))

    @torch.no_grad()
    def measure(self, pictures: Tensor) -> None:
        """Sets the means and deviations by which features are standardized."""
        for k, x in enumerate(self.features(pictures)):
            self.get_buffer(f"mean{k}").copy_(x.float().mean((0, 2, 3)))
            self.get_buffer(f"scale{k}").copy_(x.float().std((0, 2, 3)) + 1e-4)


def pictures_of(clips: Clips, count: int, random: np.random.Generator, crop: int) -> Tensor:
    """[B, 3, crop, crop]: single frames, cut at random."""
    return clips.batch(count, 1, random, crop)[:, :, 0].contiguous(memory_format=torch.channels_last)


@torch.no_grad()
def skill(eye: Eye, pictures: Tensor) -> dict[str, float]:
    """Held out: share of the squares of each damage in which it is read; half of all squares have none."""
    shown, kinds = damaged(pictures, torch.Generator().manual_seed(1))
    read = eye(shown).argmax(1)
    return {name: float((read == k)[kinds == k].float().mean()) for k, name in enumerate(("none", *DAMAGES))}


def train_eye(
    clips: Clips, minutes: float, batch: int, crop: int, lr: float, seed: int, device: str = "cpu", steps: int = 0
) -> Eye:
    """The rate falls to 0 as the minutes run out, or as the steps do where their number is given."""
    torch.manual_seed(seed)
    eye = Eye().to(device).to(memory_format=torch.channels_last)
    optimizer = torch.optim.AdamW(eye.parameters(), lr=lr, weight_decay=0.01, betas=(0.9, 0.98))
    random, hits = np.random.default_rng(seed), torch.Generator().manual_seed(seed)
    began, step, progress, told = time.monotonic(), 0, 0.0, 0.0
    while progress < 1:
        for group in optimizer.param_groups:
            group["lr"] = lr * min(1.0, (step + 1) / 30) * (1 - progress)
        shown, kinds = damaged(pictures_of(clips, batch, random, crop).to(device), hits)
        with torch.autocast(torch.device(device).type, torch.bfloat16):
            logits = eye(shown)
        loss = F.cross_entropy(logits.float(), kinds)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        step += 1
        progress = min(1.0, step / steps if steps else (time.monotonic() - began) / (60 * minutes))
        if progress - told > 0.1 or progress == 1:
            told = progress
            print(f"step {step}  loss {loss.item():.4f}  {progress:.0%} of the time", flush=True)
    eye.eval().requires_grad_(False).measure(pictures_of(clips, 4 * batch, random, crop).to(device))
    return eye


def load_eye(path: Path, device: str | torch.device = "cpu") -> Eye:
    eye = Eye()
    eye.load_state_dict(torch.load(path, weights_only=True))
    return eye.to(device).to(memory_format=torch.channels_last).eval().requires_grad_(False)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--train", type=Path, required=True, help="clips, .npy of uint8 [N, T, H, W, 3]")
    parser.add_argument("--validation", type=Path, required=True)
    parser.add_argument(
        "--out", type=Path, required=True, help="checkpoint; how well it reads goes beside it, as .json"
    )
    parser.add_argument("--minutes", type=float, default=3.0)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--crop", type=int, default=64)
    parser.add_argument("--lr", type=float, default=3e-3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", default="cpu")
    args = parser.parse_args()
    eye = train_eye(Clips(args.train), args.minutes, args.batch, args.crop, args.lr, args.seed, args.device)
    torch.save({name: value.cpu() for name, value in eye.state_dict().items()}, args.out)
    held = pictures_of(Clips(args.validation), 256, np.random.default_rng(0), args.crop).to(args.device)
    text = json.dumps({"minutes": args.minutes, "squares_read": skill(eye, held)}, indent=1)
    args.out.with_suffix(".json").write_text(text + "\n")
    print(text)


if __name__ == "__main__":
    main()
