"""The autoregressive transformer, p(y) = Π p(y_i | y_<i) (Eq. 2 of the paper), that MeBT is compared with, sampling.

The same as the page's (src/model/autoregressive.ts): blocks of MeBT's weights, pre-norm and causal; tokens in raster
order (frame by frame, row by row); the input at position i is token y_{i-1}, at position 0 the start token, and the
logits there are those of y_i. Letters as in mebt/model.py.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..mebt.model import Block, Grid, grid_embedding, start_from_codebook
from ..sampling import nucleus


@dataclass(frozen=True)
class AutoregressiveConfig:
    vocabulary: int
    grid: Grid
    width: int
    heads: int
    depth: int

    @property
    def positions(self) -> int:
        return self.grid[0] * self.grid[1] * self.grid[2]

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


class CausalBlock(Block):
    """x + attention(LN1(x)), then + MLP(LN2(·)): the residual is x itself, other than in MeBT's."""

    def __init__(self, width: int, heads: int):
        super().__init__(width, heads, "causal")

    def project(self, x: Tensor) -> list[Tensor]:
        """x [B, n, C] -> queries, keys and values [B, heads, n, C / heads]."""
        normal = self.norm1(x)
        parts = (layer(normal) for layer in (self.query, self.key, self.value))
        return [part.unflatten(2, (self.heads, -1)).transpose(1, 2) for part in parts]

    def finish(self, x: Tensor, mixed: Tensor) -> Tensor:
        z = x + self.projection(mixed.transpose(1, 2).flatten(2))
        return z + self.contract(F.gelu(self.expand(self.norm2(z))))

    def update(self, asking: Tensor, answering: Tensor, bias: Tensor | None = None) -> Tensor:
        """A whole sequence, which is both; there are no biases."""
        q, k, v = self.project(asking)
        return self.finish(asking, F.scaled_dot_product_attention(q, k, v, is_causal=True))

    def step(self, x: Tensor, cache: Tensor, position: int) -> Tensor:
        """One position, x [B, 1, C]; its key and value are added to the cache [2, B, heads, N, C / heads]."""
        q, k, v = self.project(x)
        cache[0, :, :, position], cache[1, :, :, position] = k[:, :, 0], v[:, :, 0]
        past = cache[:, :, :, : position + 1]
        return self.finish(x, F.scaled_dot_product_attention(q, past[0], past[1]))


class Autoregressive(nn.Module):
    def __init__(self, config: AutoregressiveConfig):
        super().__init__()
        self.config = config
        width = config.width
        self.token_embedding = nn.Embedding(config.vocabulary, width)
        self.position_embedding = nn.Parameter(grid_embedding(config.grid, width))
        self.start_token = nn.Parameter(torch.zeros(width))
        self.blocks = nn.ModuleList(CausalBlock(width, config.heads) for _ in range(config.depth))
        self.final_norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, config.vocabulary, bias=False)
        nn.init.normal_(self.token_embedding.weight, std=0.7)
        nn.init.normal_(self.head.weight, std=0.02)
        for block in self.causal_blocks():
            block.start_local()

    def causal_blocks(self) -> list[CausalBlock]:
        return [block for block in self.blocks if isinstance(block, CausalBlock)]

    def start_from_codebook(self, codes: Tensor) -> None:
        start_from_codebook(self.token_embedding, self.head, codes)

    def forward(
        self, tokens: Tensor, context: Tensor, target: Tensor, first: int = 0, stands_for: float = 1.0
    ) -> Tensor:
        """tokens [B, N], places of targets [B, NT] among them -> logits [B, NT, V], each from the tokens before it.

        `context` and `stands_for` are there to be called as MeBT is. `first`: position in the grid of the tokens'
        first, which still follows the start token.
        """
        start = self.start_token.expand(len(tokens), 1, -1)
        x = torch.cat([start, self.token_embedding(tokens[:, :-1])], 1)
        x = x + self.position_embedding[first : first + tokens.shape[1]]
        for block in self.causal_blocks():
            x = block.update(x, x)
        x = x.gather(1, target.unsqueeze(2).expand(-1, -1, x.shape[2]))
        return self.head(self.final_norm(x))

    def new_cache(self, batch: int, positions: int) -> list[Tensor]:
        """Room for keys and values of every block."""
        config = self.config
        shape = (2, batch, config.heads, positions, config.width // config.heads)
        return [self.start_token.new_zeros(shape) for _ in self.blocks]

    def step(self, previous: Tensor | None, position: int, cache: list[Tensor]) -> Tensor:
        """Logits [B, V] of the token at `position`, from the one before it [B] (none at the start) and the cache."""
        batch = cache[0].shape[1]
        before = self.start_token.expand(batch, -1) if previous is None else self.token_embedding(previous)
        x = (before + self.position_embedding[position]).unsqueeze(1)
        for block, kept in zip(self.causal_blocks(), cache, strict=True):
            x = block.step(x, kept, position)
        return self.head(self.final_norm(x))[:, 0]


@torch.no_grad()
def sample_autoregressive(
    model: Autoregressive, batch: int, latent_frames: int, temperature: float = 1.0, seed: int = 0, top_p: float = 1.0
) -> Tensor:
    """-> ids [B, T', H', W'], one by one, in float32: casting weights at each step would cost more than it saves."""
    _, h, w = model.config.grid
    n, device = latent_frames * h * w, model.start_token.device
    generator = torch.Generator(device).manual_seed(seed)
    cache = model.new_cache(batch, n)
    ids: list[Tensor] = []
    for position in range(n):
        probabilities = (model.step(ids[-1] if ids else None, position, cache) / temperature).softmax(-1)
        if top_p < 1:
            probabilities = nucleus(probabilities, top_p)
        noise = torch.empty_like(probabilities).exponential_(generator=generator)
        ids.append((probabilities / noise).argmax(-1))
    return torch.stack(ids, 1).view(batch, latent_frames, h, w)
