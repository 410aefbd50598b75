"""Reads a shipped model back into PyTorch, so that training goes on from what is in the repository.

`python -m recipe.shipped --model sky-128 --out recipe/runs/shipped` writes tokenizer.pt and mebt.pt, which every
command that takes a checkpoint reads. Weights are those that the page dequantizes. The encoder, which the page does not
need, lies beside the shards in encoder.safetensors; where it is not there either it begins as a new one, and
`recipe.tokenizer.train --start … --encoder-steps N` trains it first.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import load_file, save_file
from torch import nn

from .manifest import Array, read_tensors
from .mebt.model import Mebt, MebtConfig
from .names import Tensors, encoder_tensors, tokenizer_tensors, transformer_tensors
from .optim import save_checkpoint
from .tokenizer.model import TOKENIZERS, Tokenizer, TokenizerConfig
from .traits import Trait

ENCODER = "encoder.safetensors"


def fill(views: Tensors, values: dict[str, Array]) -> None:
    """Writes values into the module whose tensors `views` are. Raises ValueError where one is missing or of another
    shape."""
    for name, view in views.items():
        found = values.get(name)
        if found is None or found.shape != view.shape:
            raise ValueError(f"{name}: {view.shape} is asked for, {None if found is None else found.shape} is there.")
        np.copyto(view, found)


def shipped_mebt(folder: Path) -> Mebt:
    manifest = json.loads((folder / "manifest.json").read_text())
    fields = manifest["model"]["transformer"]
    config = MebtConfig(
        vocabulary=fields["vocabulary"],
        grid=tuple(manifest["model"]["grid"]),
        width=fields["width"],
        heads=fields["heads"],
        latent_tokens=fields["latentTokens"],
        modes=tuple(fields["modes"]),
        traits=tuple(Trait.from_json(trait) for trait in fields.get("traits", ())),
    )
    model = Mebt(config)
    fill(transformer_tensors(model), read_tensors(folder, manifest))
    return model.eval()


def shipped_tokenizer(folder: Path, config: TokenizerConfig) -> Tokenizer:
    """`config` says what a manifest does not: the encoder."""
    manifest = json.loads((folder / "manifest.json").read_text())
    model = Tokenizer(config)
    values = read_tensors(folder, manifest)
    fill(tokenizer_tensors(model, False), values)
    if (folder / ENCODER).exists():
        values |= {name: value.astype(np.float32) for name, value in load_file(folder / ENCODER).items()}
    if "tokenizer.encoder.input.weight" in values:
        fill(encoder_tensors(model), values)
    model.codebook.ready.fill_(True)
    model.codebook.sums.copy_(model.codebook.codes)
    return model.eval()


def write_encoder(model: Tokenizer, folder: Path) -> None:
    """In float16: rounding moves few embeddings to another code."""
    halves = {name: np.ascontiguousarray(view, np.float16) for name, view in encoder_tensors(model).items()}
    save_file(halves, folder / ENCODER)


def write_checkpoint(path: Path, model: nn.Module, config: dict[str, Any]) -> None:
    """As a finished training leaves it."""
    average = {name: p.detach() for name, p in model.named_parameters()}
    save_checkpoint(path, config=config, model=model.state_dict(), average=average, step=0, used=0.0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", choices=list(TOKENIZERS), required=True)
    parser.add_argument("--folder", type=Path, help="of the model; left out: the one of that name")
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    folder = args.folder or Path(args.model)
    args.out.mkdir(parents=True, exist_ok=True)
    tokenizer, mebt = shipped_tokenizer(folder, TOKENIZERS[args.model]), shipped_mebt(folder)
    write_checkpoint(args.out / "tokenizer.pt", tokenizer, tokenizer.config.to_json())
    write_checkpoint(args.out / "mebt.pt", mebt, mebt.config.to_json())


if __name__ == "__main__":
    main()
