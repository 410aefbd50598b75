"""Reads a trained tokenizer back from its checkpoint: the averaged weights, ready for use."""

from __future__ import annotations

from pathlib import Path

import torch

from .model import Tokenizer, TokenizerConfig


def load_tokenizer(path: Path) -> Tokenizer:
    state = torch.load(path, weights_only=True)
    model = Tokenizer(TokenizerConfig.from_json(state["config"]))
    model.load_state_dict(state["model"])
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.copy_(state["average"][name])
    return model.eval().requires_grad_(False)
