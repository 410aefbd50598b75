"""Turns each head's values so that their weights have no outliers, without changing what a transformer computes.

Value and projection matrices start as the identity and noise (mebt/model.py), and keep a diagonal of about 1 beside
weights of 0.04. A scale for int8 has to reach the one weight on the diagonal, so that the other 255 of its column get a
few levels only. As attention only averages a head's values, any orthogonal map of them that the projection undoes
leaves the transformer as it was; a Hadamard matrix spreads each large weight over all channels of the head. (QuaRot,
Ashkboos et al. 2024, turns heads for the sake of activations in the same way.)
"""

from __future__ import annotations

import torch
from torch import Tensor

from .mebt.model import Block, Mebt


def hadamard(size: int) -> Tensor:
    """Orthogonal, entries of one size, float64 [size, size]; `size` is a power of two."""
    matrix = torch.ones(1, 1, dtype=torch.float64)
    while matrix.shape[0] < size:
        matrix = torch.cat([torch.cat([matrix, matrix], 1), torch.cat([matrix, -matrix], 1)], 0)
    return matrix / size**0.5


@torch.no_grad()
def turn(model: Mebt) -> None:
    """Turns the values, in place. Heads whose width is no power of two are turned in parts whose width is."""
    width = model.config.width
    head = width // model.config.heads
    part = head & -head
    matrix = torch.block_diag(*[hadamard(part)] * (width // part))  # [C, C], symmetric and its own inverse
    for block in model.blocks:
        assert isinstance(block, Block)
        # Linear weights are [out, in]: values are turned behind their map, and back before the projection.
        block.value.weight.copy_(matrix @ block.value.weight.double())
        block.value.bias.copy_(matrix @ block.value.bias.double())
        block.projection.weight.copy_(block.projection.weight.double() @ matrix)
