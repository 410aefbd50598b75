"""Reads a trained MeBT back from its checkpoint: the averaged weights, ready for use."""

from __future__ import annotations

from pathlib import Path

import torch

from .model import Mebt, MebtConfig


def load_mebt(path: Path) -> Mebt:
    state = torch.load(path, weights_only=True)
    model = Mebt(MebtConfig.from_json(state["config"]))
    model.load_state_dict(state["model"])
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.copy_(state["average"][name])
    return model.eval().requires_grad_(False)
