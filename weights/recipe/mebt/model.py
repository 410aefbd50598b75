"""MeBT: a bidirectional transformer over video tokens whose attention always goes through latent tokens.

Implemented from Yoo et al., CVPR 2023 (arXiv 2303.11251). Letters: B clips, N tokens of a grid, NC context and NT
target tokens, L latent tokens, C width, V codes. Three streams pass through the blocks: latent tokens S [B, L, C],
context tokens X [B, NC, C], target tokens Y [B, NT, C]. A block's mode says who asks (Q) and who answers (K):

    latent_self: Q=S, K=S    latent_enc: Q=S, K=X    latent_dec: Q=Y, K=S    lt2l: Q=S, K=[S;Y]    maskgit: Q=K=[X;Y]
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..traits import Trait, places_of

MODES = ("latent_enc", "latent_self", "latent_dec", "lt2l", "maskgit")


def mebt_modes(encode: int, decode: int, think: int = 1) -> tuple[str, ...]:
    """(enc, self) x encode, enc, (dec, lt2l) x decode, dec: the paper's order.

    `think` blocks of self in place of one: they see the latent tokens only, so they cost the same at any clip length.
    """
    read = ("latent_enc", *("latent_self",) * think)
    write = ("latent_dec", "lt2l", *("latent_self",) * (think - 1))
    return (*read * encode, "latent_enc", *write * decode, "latent_dec")


def last_reader_of_targets(modes: tuple[str, ...]) -> int:
    """Index of the last block in which other tokens read the targets, -1 where none does; then each is on its own."""
    return max((i for i, mode in enumerate(modes) if mode in ("lt2l", "maskgit")), default=-1)


Grid = tuple[int, int, int]


@dataclass(frozen=True)
class MebtConfig:
    vocabulary: int
    grid: Grid
    width: int
    heads: int
    latent_tokens: int
    modes: tuple[str, ...]
    traits: tuple[Trait, ...] = ()  # what it can be told of a clip

    @property
    def positions(self) -> int:
        return self.grid[0] * self.grid[1] * self.grid[2]

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @staticmethod
    def from_json(data: dict[str, Any]) -> MebtConfig:
        traits = tuple(Trait.from_json(trait) for trait in data.get("traits", ()))
        return MebtConfig(**{**data, "grid": tuple(data["grid"]), "modes": tuple(data["modes"]), "traits": traits})


# The transformers of the models that this project ships, by the model's name.
MEBTS = {
    "sky-64": MebtConfig(
        vocabulary=1024, grid=(8, 16, 16), width=256, heads=8, latent_tokens=128, modes=mebt_modes(3, 2)
    ),
    "sky-128": MebtConfig(
        vocabulary=2048, grid=(32, 16, 16), width=256, heads=8, latent_tokens=512, modes=mebt_modes(3, 2, think=3)
    ),
}


def grid_embedding(grid: Grid, width: int, cells: Grid | None = None) -> Tensor:
    """Where training starts from: sines of each axis, so that neighbours begin alike. [cells, C], one a token if none.

    With `cells` the grid is cut into that many blocks along each axis; a row is the embedding of a block's centre.
    """
    per_axis = width // 6 * 2
    cells = cells or grid
    centres = [(torch.arange(n) + 0.5) * (size / n) - 0.5 for n, size in zip(cells, grid, strict=True)]
    parts = []
    for position in torch.meshgrid(*centres, indexing="ij"):
        frequency = torch.pi * 0.5 ** torch.linspace(0.5, 5.5, per_axis // 2)
        angle = position.flatten().unsqueeze(1) * frequency
        parts += [angle.sin(), angle.cos()]
    table = torch.cat(parts, 1)
    rest = torch.zeros(table.shape[0], width - table.shape[1])
    return torch.cat([table, rest], 1)


def latent_cells(grid: Grid, count: int) -> Grid:
    """Blocks of the grid, `count` in all: the longest axis (in tokens a block) is halved until there are enough."""
    cells = [1, 1, 1]
    while math.prod(cells) * 2 <= count:
        axis = max(range(3), key=lambda i: (grid[i] / cells[i], i))
        cells[axis] *= 2
    if math.prod(cells) != count:
        raise ValueError(f"latent tokens start as blocks of the grid: their number must be a power of two, got {count}")
    return cells[0], cells[1], cells[2]


def middle_of(grid: Grid) -> int:
    """Position of the middle of the first latent frame."""
    return grid[1] // 2 * grid[2] + grid[2] // 2


class Block(nn.Module):
    """out = Z + MLP(LN2(Z)), Z = LN1(Q) + attention(LN1(Q), LN1(K)): the residual is the *normalised* query."""

    def __init__(self, width: int, heads: int, mode: str):
        super().__init__()
        self.heads, self.mode = heads, mode
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.query, self.key, self.value = (nn.Linear(width, width) for _ in range(3))
        self.projection = nn.Linear(width, width)
        self.expand, self.contract = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    @torch.no_grad()
    def start_local(self) -> None:
        """Looks near by and copies; see Mebt._initialise."""
        width = self.query.in_features
        sharpness = torch.linspace(0.6, 1.8, self.heads).repeat_interleave(width // self.heads).unsqueeze(1)
        for linear in (self.query, self.key, self.value, self.expand, self.projection, self.contract):
            nn.init.normal_(linear.weight, std=linear.in_features**-0.5)
            nn.init.zeros_(linear.bias)
        self.query.weight.mul_(sharpness)
        self.key.weight.copy_(self.query.weight)
        self.value.weight.mul_(0.1).add_(torch.eye(width))
        self.projection.weight.mul_(0.1).add_(0.5 * torch.eye(width))
        self.contract.weight.mul_(0.05)

    @torch.no_grad()
    def start_passing(self) -> None:
        """Gives what asks back as it is, but normalised, which the next block does anyway: a block more that changes
        nothing until it has learned something."""
        self.start_local()
        for norm in (self.norm1, self.norm2):
            norm.reset_parameters()
        for linear in (self.projection, self.contract):
            nn.init.zeros_(linear.weight)

    def attend(self, q: Tensor, k: Tensor, v: Tensor, bias: Tensor | None) -> Tensor:
        """[B, n, C] each; with no keys the answer is zero."""
        if k.shape[1] == 0:
            return torch.zeros_like(q)
        q, k, v = (x.unflatten(2, (self.heads, -1)).transpose(1, 2) for x in (q, k, v))
        return F.scaled_dot_product_attention(q, k, v, bias).transpose(1, 2).flatten(2)

    def update(self, asking: Tensor, answering: Tensor, bias: Tensor | None = None) -> Tensor:
        """`bias`: added to the scores of each of the answering, [1, 1, 1, n]."""
        q, k = self.norm1(asking), self.norm1(answering)
        z = q + self.projection(self.attend(self.query(q), self.key(k), self.value(k), bias))
        return z + self.contract(F.gelu(self.expand(self.norm2(z))))

    def forward(self, s: Tensor, x: Tensor, y: Tensor, stands_for: float = 1.0) -> tuple[Tensor, Tensor, Tensor]:
        """`stands_for`: see Mebt.forward."""
        if self.mode == "latent_self":
            return self.update(s, s), x, y
        if self.mode == "latent_enc":
            return self.update(s, x), x, y
        if self.mode == "latent_dec":
            return s, x, self.update(y, s)
        if self.mode == "lt2l":
            both, bias = torch.cat([s, y], 1), None
            if stands_for != 1:
                bias = s.new_zeros(1, 1, 1, both.shape[1])
                bias[..., s.shape[1] :] = math.log(stands_for)
            return self.update(s, both, bias), x, y
        both = torch.cat([x, y], 1)
        both = self.update(both, both)
        return s, both[:, : x.shape[1]], both[:, x.shape[1] :]


@torch.no_grad()
def start_from_codebook(embedding: nn.Embedding, head: nn.Linear, codes: Tensor) -> None:
    """Starts embeddings and head from the codebook [V, D]: codes that look alike begin alike, on both ends.

    Whitened codes go through one random rotation into the width; the head is its transpose, so a copied embedding
    already predicts its own code.
    """
    width, centred = embedding.embedding_dim, codes - codes.mean(0)
    _, singular, axes = torch.linalg.svd(centred, full_matrices=False)
    white = centred @ axes.t() / singular * codes.shape[0] ** 0.5  # [V, D], unit variance along every axis
    rotation = torch.linalg.qr(torch.randn(width, codes.shape[1])).Q  # [C, D]
    start = white @ rotation.t() * (width / codes.shape[1]) ** 0.5  # root mean square 1
    embedding.weight.mul_(0.2).add_(start)
    head.weight.add_(start * 0.02)


class Mebt(nn.Module):
    def __init__(self, config: MebtConfig):
        super().__init__()
        self.config = config
        width = config.width
        self.token_embedding = nn.Embedding(config.vocabulary, width)
        self.position_embedding = nn.Parameter(grid_embedding(config.grid, width))
        self.mask_embedding = nn.Parameter(torch.zeros(width))
        self.latent_tokens = nn.Parameter(
            grid_embedding(config.grid, width, latent_cells(config.grid, config.latent_tokens))
        )
        rows = sum(trait.rows for trait in config.traits)
        self.trait_embedding = nn.Parameter(torch.zeros(rows, width)) if rows else None
        self.blocks = nn.ModuleList(Block(width, config.heads, mode) for mode in config.modes)
        self.final_norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, config.vocabulary, bias=False)
        self._initialise()

    def _initialise(self) -> None:
        """Attention starts out local and copies: what is near passes through the latent tokens from the first step on.

        A latent token begins as a place of the grid and keys as the queries' own map, so q.k is large where positions
        are close (heads differ in how sharply they look); values and projections begin as the identity. Without this
        the training sits on a plateau, context unused, for hundreds of steps.
        """
        nn.init.normal_(self.token_embedding.weight, std=0.7)
        nn.init.normal_(self.head.weight, std=0.02)
        for block in self.blocks:
            assert isinstance(block, Block)
            block.start_local()

    def start_from_codebook(self, codes: Tensor) -> None:
        start_from_codebook(self.token_embedding, self.head, codes)

    def told_positions(self, first: int, count: int) -> Tensor:
        """[tokens told, C], of a window of `count` tokens from `first` on; zeros for what has no place."""
        table, middle = self.position_embedding, middle_of(self.config.grid)
        rows = {
            "": torch.zeros_like(table[0]),
            "first": table[first + middle],
            "last": table[first + count - math.prod(self.config.grid[1:]) + middle],
        }
        return torch.stack([rows[place] for place in places_of(self.config.traits)])

    def forward(
        self,
        tokens: Tensor,
        context: Tensor,
        target: Tensor,
        first: int = 0,
        stands_for: float = 1.0,
        asked: int | None = None,
        scene: Tensor | None = None,
    ) -> Tensor:
        """tokens [B, N], places of context [B, NC] and target [B, NT] among them -> logits [B, NT, V].

        `first`: the position in the grid of the tokens' first, for a window that is cut from the middle.
        `stands_for`: how many masked tokens each target stands for, where `target` is a random part of them: what the
        latent tokens read of the targets is weighted so that it is, but for chance, what they would read of all.
        `asked`: only the first so many targets are asked for, logits [B, asked, V]; the others are read all the same.
        `scene`: the rows of the trait embedding that say what each clip is of, [B, tokens told], -1 (a row of zeros)
        for what is left open; they are context tokens, those of a course in the middle of the first and of the last
        latent frame, the others without a place. None: nothing is said.
        """
        return self.head(self.hidden(tokens, context, target, first, stands_for, asked, scene))

    def hidden(
        self,
        tokens: Tensor,
        context: Tensor,
        target: Tensor,
        first: int = 0,
        stands_for: float = 1.0,
        asked: int | None = None,
        scene: Tensor | None = None,
    ) -> Tensor:
        """As forward, but before the head: [B, NT, C]."""
        asked = target.shape[1] if asked is None else asked
        last_reader = last_reader_of_targets(self.config.modes)
        known = self.token_embedding(tokens.gather(1, context))
        x = known + self.position_embedding[first + context]
        y = self.mask_embedding + self.position_embedding[first + target]
        s = self.latent_tokens.expand(tokens.shape[0], -1, -1).contiguous()
        if scene is not None and self.trait_embedding is not None:
            told = self.trait_embedding[scene.clamp_min(0)] + self.told_positions(first, tokens.shape[1])
            x = torch.cat([told * (scene >= 0).unsqueeze(-1), x], 1)
        for i, block in enumerate(self.blocks):
            if i > last_reader:
                y = y[:, :asked]
            s, x, y = block(s, x, y, stands_for=stands_for)
        return self.final_norm(y[:, :asked])
