"""The adversary of a decoder: a small network that tells clips from reconstructions, patch by patch, and its losses.

As in VQGAN (Esser et al. 2021): hinge losses, and matching of the features on the way; regularized as by LeCam (Tseng
et al. 2021), for runs of few steps. It reads compressed detail beside the picture, and has no norm, as it has some
hundred steps to learn in: what a decoder lacks is of small contrast, and a norm hides how much there is. It lives in
training only.
"""

from __future__ import annotations

from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .perceptual import seen

WIDTHS = (24, 48, 96)
LECAM = 0.1  # weight of the regularization
LECAM_DECAY = 0.9  # of the running means of scores: runs are of some hundred steps


class Critic(nn.Module):
    """Video [B, 3, T, H, W] -> scores [B, 1, T/2, H/4, W/4], above 0 for what looks real, and the features before."""

    def __init__(self) -> None:
        super().__init__()
        a, b, c = WIDTHS
        self.first = nn.Conv3d(6, a, (3, 4, 4), (1, 2, 2), 1)
        self.second = nn.Conv3d(a, b, 4, 2, 1)
        self.third = nn.Conv3d(b, c, 3, 1, 1)
        self.score = nn.Conv3d(c, 1, 3, 1, 1)
        self.register_buffer("mean_real", torch.zeros(()))
        self.register_buffer("mean_fake", torch.zeros(()))

    def forward(self, video: Tensor) -> tuple[Tensor, list[Tensor]]:
        frames = seen(video.transpose(1, 2).flatten(0, 1))
        x = frames.unflatten(0, (video.shape[0], video.shape[2])).transpose(1, 2)
        a = F.leaky_relu(self.first(x), 0.2)
        b = F.leaky_relu(self.second(a), 0.2)
        c = F.leaky_relu(self.third(b), 0.2)
        return self.score(c).float(), [a, b, c]

    def hinge(self, real: Tensor, fake: Tensor) -> Tensor:
        """What the critic minimizes. LeCam holds each kind's scores near the running mean of the other's, beyond it."""
        loss = (F.relu(1 - real).mean() + F.relu(1 + fake).mean()) / 2
        mean_real, mean_fake = cast("Tensor", self.mean_real), cast("Tensor", self.mean_fake)
        with torch.no_grad():
            mean_real.lerp_(real.mean(), 1 - LECAM_DECAY)
            mean_fake.lerp_(fake.mean(), 1 - LECAM_DECAY)
        held = F.relu(real - mean_fake).square().mean() + F.relu(mean_real - fake).square().mean()
        return loss + LECAM * held


def matching(found: list[Tensor], truth: list[Tensor]) -> Tensor:
    """Mean absolute difference of features over their mean size, averaged over the layers."""
    parts = [
        (x.float() - y.float()).abs().mean() / (y.float().abs().mean() + 1e-6)
        for x, y in zip(found, truth, strict=True)
    ]
    return torch.stack(parts).mean()
