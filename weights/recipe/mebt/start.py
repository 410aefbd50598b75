"""Starts a transformer from one that was trained on another tokenizer's tokens, or on another grid.

What carries over as it is: blocks and norms, which know how to route by place and how to read a sky. Positions and
latent tokens are interpolated from grid to grid. The two vocabularies meet in what their codes look like: old
embeddings and rows of the head are regressed on the codes' colours, and a new code gets what its own colours say,
beside what tells it from codes that look alike (its vector, along directions that colours do not use).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from ..tokenizer.model import Tokenizer
from .model import Grid, Mebt, latent_cells

PATCH = 4  # of the picture that a code is known by, pixels a side
RIDGE = 1e-2


@torch.no_grad()
def looks(tokenizer: Tokenizer, batch: int = 64) -> Tensor:
    """[U, 3 PATCH²], and a one: the middle of what a field of nothing but one code decodes to."""
    _, h, w = tokenizer.config.downsample
    ids = torch.arange(tokenizer.config.codes, device=tokenizer.codebook.codes.device)
    patches = []
    for part in ids.split(batch):
        video = tokenizer.decode_tokens(part.view(-1, 1, 1, 1).expand(-1, 3, 3, 3).contiguous())
        middle = video[..., h : 2 * h, w : 2 * w].mean(2)  # [B, 3, h, w]
        patches.append(F.adaptive_avg_pool2d(middle, PATCH).flatten(1))
    return torch.cat([torch.cat(patches), torch.ones(len(ids), 1, device=ids.device)], 1)


def regress(x: Tensor, y: Tensor) -> tuple[Tensor, float]:
    """Ridge: (W with x W ~ y, share of y's variance that it explains)."""
    gram = x.t() @ x + RIDGE * x.shape[0] * torch.eye(x.shape[1], device=x.device)
    weight = torch.linalg.solve(gram, x.t() @ y)
    left = (y - x @ weight).square().sum() / (y - y.mean(0)).square().sum()
    return weight, float(1 - left)


def carried(rows: Tensor, old: Tensor, new: Tensor, codes: Tensor) -> tuple[Tensor, float]:
    """Rows [U, C] of the old codes, which look like `old`, -> rows [V, C] of new ones, which look like `new`; and the
    share of variance that looks explain. The rest is as large as it was, drawn from `codes` [V, D]."""
    weight, explained = regress(old, rows)
    colours = torch.linalg.qr(weight.t()).Q  # [C, 3 PATCH² + 1], directions that looks use
    centred = codes - codes.mean(0)
    _, singular, axes = torch.linalg.svd(centred, full_matrices=False)
    white = centred @ axes.t() / singular * codes.shape[0] ** 0.5
    free = torch.randn(rows.shape[1], codes.shape[1], device=rows.device)
    free = torch.linalg.qr(free - colours @ (colours.t() @ free)).Q  # [C, D]
    rest = (rows - old @ weight).square().mean().sqrt()
    return new @ weight + rest * (rows.shape[1] / codes.shape[1]) ** 0.5 * white @ free.t(), explained


def resized(rows: Tensor, old: Grid, new: Grid) -> Tensor:
    """Rows [t h w, C] over one grid -> over another, linearly."""
    grid = rows.t().view(1, -1, *old)
    return F.interpolate(grid, size=new, mode="trilinear", align_corners=False).flatten(2)[0].t().contiguous()


@torch.no_grad()
def start_from(model: Mebt, tokenizer: Tokenizer, other: Mebt, other_tokenizer: Tokenizer) -> dict[str, float]:
    """Fills `model`. -> the shares of embedding and head that looks explain. Raises ValueError if blocks differ."""
    a, b = model.config, other.config
    if (a.width, a.heads, a.modes) != (b.width, b.heads, b.modes):
        raise ValueError(f"start_from: width, heads and blocks must be the other's, got {a} for {b}")
    own = {name: value for name, value in other.state_dict().items() if name.startswith(("blocks.", "final_norm."))}
    model.load_state_dict(own, strict=False)
    model.mask_embedding.copy_(other.mask_embedding)
    model.position_embedding.copy_(resized(other.position_embedding, b.grid, a.grid))
    cells = latent_cells(b.grid, b.latent_tokens), latent_cells(a.grid, a.latent_tokens)
    model.latent_tokens.copy_(resized(other.latent_tokens, *cells))
    old, new = looks(other_tokenizer), looks(tokenizer)
    codes, explained = tokenizer.codebook.codes, {}
    for name in ("token_embedding", "head"):
        rows, explained[name] = carried(getattr(other, name).weight, old, new, codes)
        getattr(model, name).weight.copy_(rows)
    return explained
