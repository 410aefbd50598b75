"""Linked draws: codes of one step that go together, as they do in real clips, though none knows of the others.

The model says how likely each code of a token is, and nothing of pairs of tokens that are drawn at once. Drawn on their
own they mix what should be one thing: an hour, a hill in two frames. Here each is drawn at a place of its distribution,
codes in order from dark to bright, and the places are a field over the grid that is alike where tokens are near
(a Gaussian copula): what one token is drawn from stays as it is. As in the page's engine (src/sampling/linked.ts), with
other random numbers; `recipe.evaluate.links` measures how alike places are on held-out clips.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from .tokenizer.model import Tokenizer

Grid = tuple[int, int, int]

# All of these are to be multiplied by the distance from one known token to the next in a cube of side 1.
# How far links reach, e times less alike there: in time in latent frames, whatever the clip's length, along height and
# width in lengths of the axis.
REACH_IN_TIME, REACH = 24.0, (0.55, 2.2)
COMMON = 0.7  # share of a place that it has in common with the picture around it; the rest is its own
LASTING = 0.6  # share that stays through the clip, as hills do; the rest changes, as clouds do


@dataclass(frozen=True)
class Link:
    """Correlations of neighbours in time (of what changes), height, width (of what is common), and the two shares."""

    time: float
    height: float
    width: float
    common: float
    lasting: float

    def at(self, apart: tuple[Any, Any, Any]) -> Any:
        """Correlation of two places so many frames, rows and columns apart (numbers or arrays, not all 0)."""
        t, h, w = apart
        in_picture = np.where(h + w > 0, self.common, 1.0) * self.height**h * self.width**w
        return in_picture * (self.lasting + (1 - self.lasting) * self.time**t)


def link_of(grid: Grid, known: int) -> Link:
    """Where so many tokens are known; one place for all where none is."""
    if known == 0:
        return Link(1.0, 1.0, 1.0, 1.0, 1.0)
    spacing = known ** (-1 / 3)
    reach = (REACH_IN_TIME, REACH[0] * grid[1], REACH[1] * grid[2])
    t, h, w = (math.exp(-1 / (tokens * spacing)) for tokens in reach)
    return Link(t, h, w, COMMON * spacing, LASTING * spacing)


def along(field: Tensor, axis: int, correlation: float) -> Tensor:
    """Standard normal numbers -> the same, neighbours along the axis correlated (an autoregression of order 1)."""
    fresh, slices = math.sqrt(1 - correlation**2), list(field.unbind(axis))
    for i in range(1, len(slices)):
        slices[i] = correlation * slices[i - 1] + fresh * slices[i]
    return torch.stack(slices, axis)


def mixed(a: Tensor, b: Tensor, share: float) -> Tensor:
    """Standard normal numbers of two, `share` of the variance the first one's."""
    return math.sqrt(share) * a + math.sqrt(1 - share) * b


def linked_places(grid: Grid, known: int, batch: int, generator: torch.Generator) -> Tensor:
    """Uniform in (0, 1), [B, N]."""
    link, (t, h, w) = link_of(grid, known), grid
    common, own = torch.randn(2, batch, 1 + t, h, w, generator=generator, device=generator.device)
    pictures = mixed(along(along(common, 2, link.height), 3, link.width), own, link.common)
    changing = along(pictures[:, 1:], 1, link.time)
    field = mixed(pictures[:, :1].expand_as(changing), changing, link.lasting)
    return torch.special.ndtr(field.double()).clamp(1e-7, 1 - 1e-7).float().flatten(1)


@torch.no_grad()
def codes_from_dark_to_bright(tokenizer: Tokenizer, at_once: int = 64) -> Tensor:
    """[U] codes by the mean brightness of the clip of one token that each decodes to."""
    codes = torch.arange(tokenizer.config.codes, device=tokenizer.codebook.codes.device)
    clips = [tokenizer.decode_tokens(ids.view(-1, 1, 1, 1)) for ids in codes.split(at_once)]
    return torch.cat([clip.mean((1, 2, 3, 4)) for clip in clips]).argsort(stable=True)


def codes_at(probabilities: Tensor, places: Tensor, order: Tensor) -> Tensor:
    """[..., V] and [...] -> [...]: the code at which the probabilities, added up in `order`, reach the place."""
    reached = probabilities[..., order].cumsum(-1)
    wanted = (places * reached[..., -1]).unsqueeze(-1)
    return order[torch.searchsorted(reached, wanted).squeeze(-1).clamp(max=order.shape[0] - 1)]
