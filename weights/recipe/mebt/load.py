"""Reads a trained MeBT back from its checkpoint: the averaged weights, ready for use."""

from __future__ import annotations

from pathlib import Path

import torch

from ..optim import restore_averaged
from .model import Mebt, MebtConfig


def load_mebt(path: Path) -> Mebt:
    state = torch.load(path, weights_only=True)
    model = Mebt(MebtConfig.from_json(state["config"]))
    restore_averaged(model, state)
    return model
