"""The page's engine at the official size against PyTorch: logits of one forward pass, with the same weights.

`python -m recipe.official CHECKPOINT MODEL LOGITS` (called by `npm run full-size -- forward`): CHECKPOINT is a
Lightning file of a Net2NetTransformer (scripts/make-official-checkpoint.ts writes one), MODEL the folder of its
conversion, LOGITS what the engine made of that, float32 [512, codes]. PyTorch runs the converted weights, read here
from manifest and shards, and those of the checkpoint. Exit code 1 when the engine is off by more than LIMIT from the
former, or by more than LIMIT_OF_INT8 from the latter.
"""

from __future__ import annotations

import json
import pickle
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import torch
from torch import Tensor

from .mebt.model import Mebt, MebtConfig

POSITIONS = 1024
"""Of the pass: half of them context, half of them targets."""
LIMIT = 1e-3
"""Relative L2 of the logits: float32 sums in another order, over 24 layers."""
LIMIT_OF_INT8 = 0.1
"""What int8 may cost random weights, which are the hard case."""

Array = np.ndarray[Any, np.dtype[np.float32]]


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


LAYERS = (
    ("query", "attn.query"),
    ("key", "attn.key"),
    ("value", "attn.value"),
    ("projection", "attn.proj"),
    ("expand", "mlp.0"),
    ("contract", "mlp.2"),
    ("norm1", "ln1"),
    ("norm2", "ln2"),
)


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
    for i in range(blocks):
        for ours, theirs in LAYERS:
            for part in ("weight", "bias"):
                names[f"blocks.{i}.{ours}.{part}"] = state[f"transformer.blocks.{i}.{theirs}.{part}"]
    return names


class Converted:
    """Tensors of a converted model by the manifest's names, dequantized."""

    def __init__(self, folder: Path) -> None:
        manifest = json.loads((folder / "manifest.json").read_text())
        self.entries = {entry["name"]: entry for entry in manifest["tensors"]}
        self.shards = [np.fromfile(folder / shard["file"], np.uint8) for shard in manifest["shards"]]

    def __call__(self, name: str) -> Tensor:
        entry = self.entries[name]
        values = self.read(entry, entry["dtype"], entry["shape"]).astype(np.float32)
        if entry["dtype"] == "int8":
            values *= self.read(entry["scale"], "float32", entry["shape"][-1:])
        return torch.from_numpy(values)

    def read(self, place: dict[str, Any], dtype: str, shape: list[int]) -> np.ndarray[Any, Any]:
        return np.frombuffer(self.shards[place["shard"]], dtype, int(np.prod(shape)), place["offset"]).reshape(shape)


def converted_transformer(config: MebtConfig, tensor: Converted) -> Mebt:
    state = {
        "token_embedding.weight": tensor("transformer.tokenEmbedding"),
        "position_embedding": tensor("transformer.positionEmbedding"),
        "mask_embedding": tensor("transformer.maskEmbedding"),
        "latent_tokens": tensor("transformer.latentTokens"),
        "final_norm.weight": tensor("transformer.finalNorm.scale"),
        "final_norm.bias": tensor("transformer.finalNorm.bias"),
        "head.weight": tensor("transformer.head.weight").t(),
    }
    for i in range(len(config.modes)):
        for name in ("norm1", "norm2"):
            state[f"blocks.{i}.{name}.weight"] = tensor(f"transformer.blocks.{i}.{name}.scale")
            state[f"blocks.{i}.{name}.bias"] = tensor(f"transformer.blocks.{i}.{name}.bias")
        for name in ("query", "key", "value", "projection", "expand", "contract"):
            state[f"blocks.{i}.{name}.weight"] = tensor(f"transformer.blocks.{i}.{name}.weight").t()
            state[f"blocks.{i}.{name}.bias"] = tensor(f"transformer.blocks.{i}.{name}.bias")
    model = Mebt(config)
    model.load_state_dict(state)
    return model.eval()


def logits_of(model: Mebt) -> Array:
    """[512, codes] of the pass that scripts/fullSize/forward.ts makes, too."""
    positions = torch.arange(POSITIONS)
    tokens = ((positions * 7919 + 13) % model.config.vocabulary)[None]
    order = ((positions * 389 + 5) % POSITIONS)[None]
    with torch.no_grad():
        logits: Array = model(tokens, order[:, : POSITIONS // 2], order[:, POSITIONS // 2 :])[0].numpy()
    return logits


def relative(a: Array, b: Array) -> float:
    return float(np.linalg.norm(a.astype(np.float64) - b) / np.linalg.norm(b.astype(np.float64)))


def main(checkpoint: Path, folder: Path, logits: Path) -> int:
    model = official_transformer(read_checkpoint(checkpoint))
    config, exact = model.config, logits_of(model)
    del model
    stored = logits_of(converted_transformer(config, Converted(folder)))
    engine = np.fromfile(logits, np.float32).reshape(stored.shape)
    same_weights, quantization = relative(engine, stored), relative(engine, exact)
    same_code = float((engine.argmax(1) == stored.argmax(1)).mean())
    print(f"engine against PyTorch, converted weights in both: relative L2 {same_weights:.2e} (limit {LIMIT})")
    print(f"  the most likely code is the same at {same_code:.2%} of the positions")
    print(f"engine, converted weights, against PyTorch, the checkpoint's: {quantization:.2e} (limit {LIMIT_OF_INT8})")
    return 0 if same_weights <= LIMIT and quantization <= LIMIT_OF_INT8 else 1


if __name__ == "__main__":
    sys.exit(main(*map(Path, sys.argv[1:])))
