"""The page's engine at the official size against PyTorch: logits of one forward pass, with the same weights.

`python -m recipe.official CHECKPOINT LOGITS` (called by `npm run full-size -- forward`): CHECKPOINT is a Lightning
file of a Net2NetTransformer (scripts/make-official-checkpoint.ts writes one), LOGITS what the engine made of it,
float32 [512, codes]. The weights go through the same int8 as the page's. Exit code 1 when they differ by more than LIMIT.
"""

from __future__ import annotations

import pickle
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import torch
from torch import Tensor

from .mebt.model import Mebt, MebtConfig
from .quantized import quantized

POSITIONS = 1024
"""Of the pass: half of them context, half of them targets."""
LIMIT = 1e-3
"""Relative L2 of the logits: float32 sums in another order over 24 layers; int8 itself costs forty times as much."""


class Placeholder:
    """Stands for a class that is not installed here (OmegaConf), and keeps its state."""

    def __init__(self, *_: object) -> None:
        pass


class Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        return super().find_class(module, name) if module.partition(".")[0] in ("torch", "collections") else Placeholder


def read_checkpoint(path: Path) -> dict[str, Any]:
    """Maps the file into memory: the optimizer's part is never read."""
    reader = ModuleType("reader")
    reader.__dict__.update(Unpickler=Unpickler, load=pickle.load)
    return torch.load(path, map_location="cpu", mmap=True, weights_only=False, pickle_module=reader)


def official_transformer(checkpoint: dict[str, Any]) -> Mebt:
    """A Net2NetTransformer as the recipe's module. Heads, modes and grid come from its settings."""
    settings = checkpoint["hyper_parameters"]
    transformer = content(settings["transformer_config"])
    state: dict[str, Tensor] = checkpoint["state_dict"]
    codes, width = state["tok_emb.weight"].shape
    grid = content(content(settings["mask_config"])["params"])["shape"]
    config = MebtConfig(
        vocabulary=codes,
        grid=tuple(content(grid)),
        width=width,
        heads=transformer["n_head"],
        latent_tokens=state["sos_emb"].shape[1],
        modes=tuple(content(transformer["mode"])),
    )
    model = Mebt(config)
    model.load_state_dict(renamed(state, len(config.modes)))
    return model.eval()


def content(node: Any) -> Any:
    """What an OmegaConf node holds, or a plain value as it is."""
    return node.__dict__["_content"] if isinstance(node, Placeholder) else node


def renamed(state: dict[str, Tensor], blocks: int) -> dict[str, Tensor]:
    names = {
        "token_embedding.weight": state["tok_emb.weight"],
        "position_embedding": state["pos_emb"][0],
        "mask_embedding": state["mask_emb"][0, 0],
        "latent_tokens": state["sos_emb"][0],
        "final_norm.weight": state["transformer.ln_f.weight"],
        "final_norm.bias": state["transformer.ln_f.bias"],
        "head.weight": state["transformer.head.weight"],
    }
    layers = {
        **{"query": "attn.query", "key": "attn.key", "value": "attn.value", "projection": "attn.proj"},
        **{"expand": "mlp.0", "contract": "mlp.2", "norm1": "ln1", "norm2": "ln2"},
    }
    for i in range(blocks):
        for ours, theirs in layers.items():
            for part in ("weight", "bias"):
                names[f"blocks.{i}.{ours}.{part}"] = state[f"transformer.blocks.{i}.{theirs}.{part}"]
    return names


def logits_of(model: Mebt) -> np.ndarray[Any, np.dtype[np.float32]]:
    """[512, codes] of the pass that scripts/fullSize/forward.ts makes, too."""
    positions = torch.arange(POSITIONS)
    tokens = ((positions * 7919 + 13) % model.config.vocabulary)[None]
    order = ((positions * 389 + 5) % POSITIONS)[None]
    with torch.no_grad():
        return model(tokens, order[:, : POSITIONS // 2], order[:, POSITIONS // 2 :])[0].numpy()


def relative(a: np.ndarray[Any, Any], b: np.ndarray[Any, Any]) -> float:
    return float(np.linalg.norm(a.astype(np.float64) - b) / np.linalg.norm(b.astype(np.float64)))


def main(checkpoint: Path, logits: Path) -> int:
    model = official_transformer(read_checkpoint(checkpoint))
    exact = logits_of(model)
    model = quantized(model)
    stored = logits_of(model)
    engine = np.fromfile(logits, np.float32).reshape(stored.shape)
    error = relative(engine, stored)
    same = float((engine.argmax(1) == stored.argmax(1)).mean())
    print(f"engine against PyTorch, int8 weights in both: relative L2 {error:.2e}, same most likely code {same:.4f}")
    print(f"engine against PyTorch's float32 weights: relative L2 {relative(engine, exact):.2e}")
    print(f"PyTorch, int8 against float32 weights: relative L2 {relative(stored, exact):.2e}")
    return 0 if error <= LIMIT else 1


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2])))
