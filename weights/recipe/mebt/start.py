"""Starts a transformer from one that was trained on another tokenizer's tokens, or on another grid.

What carries over as it is: blocks and norms, which know how to route by place and how to read a sky. Positions and
latent tokens are interpolated from grid to grid. The two vocabularies meet in what their codes look like: old
embeddings and rows of the head are regressed on the codes' colours, and a new code gets what its own colours say,
beside what tells it from codes that look alike (its vector, along directions that colours do not use).

Or goes on from one that reads the same codes (`go_on_from`), in a longer grid and with more blocks: the paper's
curriculum across trainings.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from ..tokenizer.model import Tokenizer
from ..traits import places_of
from .model import Block, Grid, Mebt, grid_embedding, latent_cells, middle_of

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


def carry_blocks(model: Mebt, other: Mebt) -> None:
    """The other's blocks in their order, each into the next of its mode; what is more passes on what it gets.

    Raises ValueError if width or heads differ, or a block of the other's finds no place.
    """
    a, b = model.config, other.config
    if (a.width, a.heads) != (b.width, b.heads):
        raise ValueError(f"start: width and heads must be the other's, got {a} for {b}")
    left = list(other.blocks)
    for block in model.blocks:
        assert isinstance(block, Block)
        if left and left[0].mode == block.mode:
            block.load_state_dict(left.pop(0).state_dict())
        else:
            block.start_passing()
    if left:
        raise ValueError(f"start: blocks must be the other's, or more between them, got {a.modes} for {b.modes}")
    model.final_norm.load_state_dict(other.final_norm.state_dict())


@torch.no_grad()
def start_from(model: Mebt, tokenizer: Tokenizer, other: Mebt, other_tokenizer: Tokenizer) -> dict[str, float]:
    """Fills `model` from one of another tokenizer's tokens. -> the shares of embedding and head that looks explain."""
    a, b = model.config, other.config
    carry_blocks(model, other)
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


def sines(grid: Grid, cells: Grid, width: int, stretch: int) -> Tensor:
    """grid_embedding of a grid with `stretch` times fewer latent frames, interpolated to this one's cells."""
    short = (grid[0] // stretch, *grid[1:])
    few = (max(1, cells[0] // stretch), *cells[1:])
    return resized(grid_embedding(short, width, few), few, cells)


def continued(rows: Tensor, old: tuple[Grid, Grid], new: tuple[Grid, Grid]) -> Tensor:
    """Rows over a grid's cells, one each -> over a longer grid's, whose cells are as large.

    The sines that rows began as go on in time, in the stretch that they have (start_from stretches); what was learned
    beside them is mirrored at the end.
    """
    (grid, cells), (longer, more) = old, new
    width = rows.shape[1]
    offs = {k: rows - sines(grid, cells, width, k) for k in (1, 2, 4) if cells[0] % k == 0 and grid[0] % k == 0}
    stretch = min(offs, key=lambda k: float(offs[k].square().mean()))
    learned = offs[stretch].unflatten(0, cells)
    places = torch.arange(more[0]) % (2 * cells[0])
    learned = learned[torch.minimum(places, 2 * cells[0] - 1 - places)]
    result = sines(longer, more, width, stretch) + learned.flatten(0, 2)
    result.unflatten(0, more)[: cells[0]] = rows.unflatten(0, cells)
    return result


@torch.no_grad()
def go_on_from(model: Mebt, other: Mebt) -> None:
    """Fills `model` from one that reads the same codes, and may have fewer blocks or a shorter grid, or both.

    Raises ValueError if widths or heads differ, or a latent token stands for more of the longer grid.
    """
    a, b = model.config, other.config
    carry_blocks(model, other)
    cells, more = latent_cells(b.grid, b.latent_tokens), latent_cells(a.grid, a.latent_tokens)
    sizes = [[n / c for n, c in zip(g, k, strict=True)] for g, k in ((b.grid, cells), (a.grid, more))]
    if sizes[0] != sizes[1] or a.grid[1:] != b.grid[1:] or a.vocabulary != b.vocabulary:
        raise ValueError(f"start: codes, rows, columns and what a latent token stands for must agree, got {a} for {b}")
    for name in ("mask_embedding", "token_embedding.weight", "head.weight"):
        model.get_parameter(name).copy_(other.get_parameter(name))
    model.position_embedding.copy_(continued(other.position_embedding, (b.grid, b.grid), (a.grid, a.grid)))
    model.latent_tokens.copy_(continued(other.latent_tokens, (b.grid, cells), (a.grid, more)))
    carry_traits(model, other)


LOOKED_AT = 400  # places of the grid among which each value's most telling token is looked for


def row_spans(model: Mebt) -> list[tuple[int, int]]:
    """For each row of the trait table the positions of the grid, from and to, that its token is in."""
    area = math.prod(model.config.grid[1:])
    end = model.config.positions
    spans = {"": (0, end), "first": (0, area), "last": (end - area, end)}
    return [spans[place] for trait in model.config.traits for place in places_of([trait]) for _ in trait.values]


@torch.no_grad()
def start_traits(model: Mebt, tokens: Tensor, scenes: Tensor, seed: int = 0) -> None:
    """Each value of a trait begins as one known token: the place and code that clips with the value (rows `scenes`
    [N, tokens told] of clips' tokens [N, positions]) have and others have not; of a course, in the frame in which it
    is told. What reads known tokens reads it at once; from rows of zeros, hundreds of steps learned nothing. Rows that
    say something already stay as they are.
    """
    table, config = model.trait_embedding, model.config
    assert table is not None
    with_value = torch.zeros(len(tokens), len(table)).scatter_(1, scenes, 1.0)  # [N, values]
    clips = with_value.sum(0).unsqueeze(1).clamp_min(1)
    spans, fresh = torch.tensor(row_spans(model)), ~table.any(1)
    most = torch.full((len(table),), -torch.inf)
    generator = torch.Generator().manual_seed(seed)
    looked_at = {
        span: span[0] + torch.randperm(span[1] - span[0], generator=generator) for span in set(row_spans(model))
    }
    places = sorted({int(place) for found in looked_at.values() for place in found[:LOOKED_AT]})
    for place in places:
        codes = F.one_hot(tokens[:, place], config.vocabulary).float()  # [N, V]
        usual = codes.mean(0)
        counts = with_value.t() @ codes  # [values, V]
        telling = counts / clips * ((counts + usual) / (clips + 1) / usual.clamp_min(1e-9)).clamp_min(1e-9).log()
        gain, code = telling.max(1)
        better = fresh & (gain > most) & (spans[:, 0] <= place) & (place < spans[:, 1])
        for row in better.nonzero()[:, 0].tolist():
            table[row] = model.token_embedding.weight[code[row]] + model.position_embedding[place]
            most[row] = gain[row]
    for row in fresh.nonzero()[:, 0].tolist():  # where a course is told is added to what it is told as
        if spans[row, 1] - spans[row, 0] < config.positions:
            table[row] -= model.position_embedding[spans[row, 0] + middle_of(config.grid)]


def carry_traits(model: Mebt, other: Mebt) -> None:
    """What the other was told of clips, trait by trait; what it was not told, or in other values, begins without."""
    theirs = rows_by_trait(other)
    for trait, rows in rows_by_trait(model).items():
        if trait in theirs:
            rows.copy_(theirs[trait])


def rows_by_trait(model: Mebt) -> dict[tuple[str, tuple[str, ...], bool], Tensor]:
    """The parts of the trait table, by what makes traits the same."""
    if model.trait_embedding is None:
        return {}
    parts = model.trait_embedding.split([trait.rows for trait in model.config.traits])
    return {(t.name, t.values, t.course): part for t, part in zip(model.config.traits, parts, strict=True)}
