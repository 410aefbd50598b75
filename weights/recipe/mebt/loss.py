"""The loss of a batch, and with it nats a token on held-out clips."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .batches import split_positions
from .model import Mebt

MASKED_SHARES = (0.125, 0.5, 0.875, 0.99, 1.0)  # that held-out clips are read at
CLIPS = 4  # at once


def loss_of(
    model: nn.Module,
    tokens: Tensor,
    context: Tensor,
    target: Tensor,
    first: int = 0,
    stands_for: float = 1.0,
    scene: Tensor | None = None,
    exact: bool = False,
) -> Tensor:
    """Mean over all targets; arguments as Mebt.forward has them. Products in bfloat16, or with `exact` in float32."""
    told = {} if scene is None else {"scene": scene}  # an autoregressive transformer is told nothing
    with torch.autocast(tokens.device.type, torch.bfloat16, enabled=not exact):
        logits = model(tokens, context, target, first, stands_for, **told)
    return F.cross_entropy(logits.float().flatten(0, 1), tokens.gather(1, target).flatten())


@torch.no_grad()
def held_out(model: Mebt, grids: Tensor, scenes: Tensor | None = None, exact: bool = False) -> dict[str, float]:
    """Nats a token of clips [N, positions] at each of MASKED_SHARES, with fixed masks. `scenes`: what is told."""
    training, device = model.training, model.latent_tokens.device
    model.eval()
    result = {}
    for share in MASKED_SHARES:
        generator, total = torch.Generator().manual_seed(1), 0.0
        for start in range(0, len(grids), CLIPS):
            part = grids[start : start + CLIPS]
            told = None if scenes is None else scenes[start : start + CLIPS].to(device)
            context, target = split_positions(len(part), part.shape[1], round(share * part.shape[1]), generator)
            parts = (part.to(device), context.to(device), target.to(device))
            total += loss_of(model, *parts, scene=told, exact=exact).item() * len(part)
        result[str(share)] = total / len(grids)
    model.train(training)
    return result
