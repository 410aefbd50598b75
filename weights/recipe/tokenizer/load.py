"""Reads a trained tokenizer back from its checkpoint: the averaged weights, ready for use."""

from __future__ import annotations

from pathlib import Path

import torch

from ..optim import restore_averaged
from .model import Tokenizer, TokenizerConfig


def load_tokenizer(path: Path) -> Tokenizer:
    state = torch.load(path, weights_only=True)
    model = Tokenizer(TokenizerConfig.from_json(state["config"]))
    restore_averaged(model, state)
    return model
