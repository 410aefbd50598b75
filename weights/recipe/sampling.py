"""Masked parallel decoding in PyTorch, to look at samples while training; the page has its own (src/sampling).

The order of a run: `bootstrap` single random tokens, then `steps` steps whose share of masked tokens follows a
schedule; the tokens that stay are the most confident ones under Gumbel noise of `choiceTemperature` x (1 - t), or, with
`order` "spread", those whose turn it is in an order that puts each far from the ones before (src/sampling/spread.ts).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from .mebt.model import Mebt
from .schedules import choice_factor, masked_count, progress

# What the exported model asks the page to start from (GenerationOptions); chosen by looking at sheets.
SAMPLING: dict[str, float | int] = {"steps": 24, "choiceTemperature": 6, "temperature": 1}


# Of the smallest g with g^4 = g + 1: multiples of (1/g, 1/g^2, 1/g^3), modulo 1, fill a cube evenly, and so do their
# projections on its faces and edges (Roberts, "The unreasonable effectiveness of quasirandom sequences", 2018).
SPREAD = 1.2207440846057596
ORDERS = ("confidence", "spread")


def spread_order(grid: tuple[int, int, int], shift: Sequence[float]) -> Tensor:
    """Every position of the grid once, each far from those just before; `shift` in [0, 1)^3 moves all of them. [N]"""
    n = math.prod(grid)
    k = np.arange(1, 32 * n + 1, dtype=np.float64)
    cells = [
        np.floor((shift[axis] + k * SPREAD ** -(axis + 1)) % 1 * size).astype(np.int64)
        for axis, size in enumerate(grid)
    ]
    places = np.ravel_multi_index(tuple(cells), grid)
    _, firsts = np.unique(places, return_index=True)
    met = places[np.sort(firsts)]
    left = np.setdiff1d(np.arange(n), met)  # a few that are met late
    return torch.from_numpy(np.concatenate([met, left]))


FEW = 128  # codes that a nucleus is looked for among first


def nucleus(probabilities: Tensor, share: float, few: int = FEW) -> Tensor:
    """The likeliest of [..., V] that together reach `share`, at least one, and nothing else."""
    flat = probabilities.flatten(0, -2)
    ranked, order = flat.topk(min(few, flat.shape[1]))
    kept = torch.zeros_like(flat).scatter_(1, order, ranked * (ranked.cumsum(1) - ranked < share))
    wide = (ranked.sum(1) < share).nonzero()[:, 0]  # rows of which they are too few
    if len(wide):
        ranked, order = flat[wide].sort(1, descending=True)
        kept[wide] = torch.zeros_like(ranked).scatter_(1, order, ranked * (ranked.cumsum(1) - ranked < share))
    return (kept / kept.sum(1, keepdim=True)).view_as(probabilities)


def draw_codes(probabilities: Tensor, generator: torch.Generator) -> Tensor:
    """[..., V] -> [...], by the inverse of the cumulative distribution; never one of probability 0."""
    below = probabilities.cumsum(-1)
    place = 1 - torch.rand(below.shape[:-1], generator=generator, device=below.device)  # (0, 1]
    return torch.searchsorted(below, (place * below[..., -1]).unsqueeze(-1)).squeeze(-1)


@torch.no_grad()
def sample_tokens(
    model: Mebt,
    batch: int,
    latent_frames: int,
    steps: int,
    choice_temperature: float,
    temperature: float = 1.0,
    top_k: int = 0,
    bootstrap: int = 0,
    revise: int = 0,
    revise_temperature: float = 0.7,
    seed: int = 0,
    schedule: str = "cosine",
    top_p: float = 1.0,
    order: str = "confidence",
    targets: int = 0,
    scene: Tensor | None = None,
    top_p_from: float = 0.0,
    guidance: float = 0.0,
    guidance_from: float = 0.0,
) -> Tensor:
    """-> ids [B, T', H', W'].

    `scene`: what each clip is to be of, as Mebt.forward has it.

    `top_p_from`: top-p holds from the pass on before which this share of the tokens is known.

    `guidance`: logits become l + guidance (l - l0), l0 being those where no token is known: what known tokens say is
    stressed, as classifier-free guidance does with a condition (Ho & Salimans 2022); from the pass on before which
    `guidance_from` of the tokens are known. It takes one pass over all tokens more.

    `targets`: with order "spread", the model reads no more than so many masked tokens where fewer are asked for, each
    in the place of several (Mebt.forward's `stands_for`); 0 for all. For models that were trained on as many.
    """
    _, h, w = model.config.grid
    n = latent_frames * h * w
    device = model.mask_embedding.device
    generator = torch.Generator(device).manual_seed(seed)
    tokens = torch.zeros(batch, n, dtype=torch.int64, device=device)
    if order == "spread":
        shifts = torch.rand(batch, 3, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
        turns = torch.stack([spread_order((latent_frames, h, w), row) for row in shifts.tolist()]).to(device)
    else:
        turns = torch.rand(batch, n, generator=generator, device=device).argsort(1)
    context, target = turns[:, :0], turns
    unknowing: Tensor | None = None  # hidden states where no token is known, [B, N, C]; the head is linear

    def hidden(context: Tensor, target: Tensor, asked: int | None) -> Tensor:
        masked = target.shape[1]
        read = min(masked, max(asked, targets)) if targets and asked is not None else masked
        return model.hidden(tokens, context, target[:, :read], stands_for=masked / read, asked=asked, scene=scene)

    def guided(found: Tensor, places: Tensor, weight: float) -> Tensor:
        nonlocal unknowing
        if unknowing is None:
            everywhere = torch.arange(n, device=device).expand(batch, n)
            unknowing = hidden(everywhere[:, :0], everywhere, None)
        there = unknowing.gather(1, places.unsqueeze(-1).expand_as(found))
        return found + weight * (found - there)

    def draw(
        context: Tensor, target: Tensor, temperature: float, k: int, p: float, weight: float, asked: int | None = None
    ) -> tuple[Tensor, Tensor]:
        with torch.autocast(device.type, torch.bfloat16):
            found = hidden(context, target, asked)
            if weight and context.shape[1]:
                found = guided(found.float(), target[:, : found.shape[1]], weight)
            logits = model.head(found)
        logits = logits.float() / temperature
        if k:
            logits = logits.masked_fill(logits < logits.topk(k, -1).values[..., -1:], -torch.inf)
        probabilities = logits.softmax(-1)
        if p < 1:
            probabilities = nucleus(probabilities, p)
        ids = draw_codes(probabilities, generator)
        return ids, probabilities.gather(-1, ids.unsqueeze(-1)).squeeze(-1)

    for _ in range(bootstrap):
        ids, _score = draw(context, target[:, :1], 1.0, 0, 1.0, 0.0)
        tokens.scatter_(1, target[:, :1], ids)
        context, target = torch.cat([context, target[:, :1]], 1), target[:, 1:]
    for t in progress(steps):
        masked = masked_count(schedule, t, n)
        if masked > target.shape[1] or (order == "spread" and masked == target.shape[1]):
            continue
        keep = target.shape[1] - masked
        asked = keep if order == "spread" else None  # what is known not to stay need not be drawn
        known = context.shape[1] / n
        p, weight = top_p if known >= top_p_from else 1.0, guidance if known >= guidance_from else 0.0
        ids, score = draw(context, target, temperature, top_k, p, weight, asked)
        tokens.scatter_(1, target[:, : ids.shape[1]], ids)
        if order == "confidence":
            gumbel = -torch.empty_like(score).exponential_(generator=generator).log()
            keys = score.clamp_min(1e-20).log() + choice_temperature * choice_factor("linear", t) * gumbel
            target = target.gather(1, keys.argsort(1, descending=True))
        context, target = torch.cat([context, target[:, :keep]], 1), target[:, keep:]
    for _ in range(revise):
        blocks = torch.rand(batch, n, generator=generator, device=device).argsort(1).chunk(2, 1)
        for i in range(2):
            ids, _score = draw(blocks[1 - i], blocks[i], revise_temperature, top_k, top_p, guidance)
            tokens.scatter_(1, blocks[i], ids)
    return tokens.view(batch, latent_frames, h, w)
