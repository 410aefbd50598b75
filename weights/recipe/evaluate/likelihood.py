"""What needs the PyTorch models themselves: fidelity of the tokenizer, held-out likelihood of the transformer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..measures import fidelity
from ..mebt.loss import held_out
from ..mebt.model import Mebt
from ..quantized import quantized
from ..tokenizer.model import Tokenizer
from ..traits import all_rows, scene_of
from .labels import Array, Labels
from .network import to_video
from .sample import as_uint8


def mean_of(rows: list[dict[str, float]], suffix: str = "") -> dict[str, float]:
    return {f"{name}{suffix}": float(np.mean([row[name] for row in rows])) for name in rows[0]}


@torch.no_grad()
def reconstruction(tokenizer: Tokenizer, clips: Array) -> tuple[dict[str, Any], Tensor]:
    """-> (PSNR with float and with int8 decoder, share of codes in use; token grids [N, T', H', W'])."""
    rounded = quantized(tokenizer)
    exact, small, grids = [], [], []
    for index in range(len(clips)):
        original = np.array(clips[index])
        ids = tokenizer.tokens(to_video(clips[index : index + 1]))
        exact.append(fidelity(original, as_uint8(tokenizer.decode_tokens(ids)[0])))
        small.append(fidelity(original, as_uint8(rounded.decode_tokens(ids)[0])))
        grids.append(ids)
    tokens = torch.cat(grids)
    used = {"clips": len(clips), "codes_in_use": tokens.unique().numel() / tokenizer.config.codes}
    return used | mean_of(exact) | mean_of(small, "_int8"), tokens


def likelihood(model: Mebt, tokens: Tensor, labels: Sequence[Labels] | None) -> dict[str, Any]:
    """With the weights as trained, and as the page gets them in smaller kinds; told of the clips (by their labels),
    where the model can be told, and not told."""
    traits = model.config.traits if labels else ()
    scenes = all_rows(traits, [scene_of(row) for row in labels[: len(tokens)]]) if labels and traits else None
    grids = tokens.flatten(1)
    rows: dict[str, Any] = {"clips": len(tokens), "float32": held_out(model, grids, scenes, exact=True)}
    for kind in ("float16", "int8", "int4"):
        rows[kind] = held_out(quantized(model, kind), grids, scenes, exact=True)
    return rows | ({"float32, told nothing": held_out(model, grids, exact=True)} if traits else {})
