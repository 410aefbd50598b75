"""Exports trained checkpoints as a model for the page.

`python -m recipe.export --tokenizer runs/tokenizer.pt --mebt runs/mebt.pt --clips runs/train.npy --name sky-64
--out sky-64`

The encoder goes beside the shards, for recipe.shipped; the page does not fetch it.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import torch

from .data import Clips
from .manifest import write_model
from .mebt.load import load_mebt
from .names import tokenizer_json, tokenizer_tensors, transformer_json, transformer_tensors
from .preview import fit_preview
from .rotation import turn
from .sampling import ORDERS, SAMPLING
from .schedules import SCHEDULES
from .shipped import write_encoder
from .tokenizer.load import load_tokenizer

FRAME_RATE = 16


def sampling(args: argparse.Namespace) -> dict[str, float | int | str]:
    """The page's options (GenerationOptions), as far as they differ from its own defaults."""
    chosen: dict[str, float | int | str] = SAMPLING | {"steps": args.steps}
    others = {
        "topP": (args.top_p, 1.0),
        "topPFrom": (args.top_p_from, 0.0),
        "guidance": (args.guidance, 0.0),
        "guidanceFrom": (args.guidance_from, 0.0),
        "schedule": (args.schedule, "cosine"),
        "order": (args.order, "confidence"),
        "targets": (args.targets, 0),
    }
    return chosen | {name: value for name, (value, usual) in others.items() if value != usual}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tokenizer", type=Path, required=True)
    parser.add_argument("--mebt", type=Path, required=True)
    parser.add_argument("--clips", type=Path, required=True, help="training clips, to fit the preview on")
    parser.add_argument("--name", required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--matrices", choices=["int8", "int4", "float16", "float32"], default="int8")
    parser.add_argument("--group", type=int, choices=[32, 64], default=64, help="rows of int4 that share a scale")
    begin = parser.add_argument_group("what the page begins with")
    begin.add_argument("--steps", type=int, default=int(SAMPLING["steps"]))
    begin.add_argument("--top-p", type=float, default=1.0)
    begin.add_argument("--top-p-from", type=float, default=0.0)
    begin.add_argument("--guidance", type=float, default=0.0)
    begin.add_argument("--guidance-from", type=float, default=0.0)
    begin.add_argument("--schedule", choices=list(SCHEDULES), default="cosine")
    begin.add_argument("--order", choices=ORDERS, default="confidence")
    begin.add_argument("--targets", type=int, default=0)
    begin.add_argument("--not-offered", nargs="*", default=[], help="traits that the model follows too little")
    parser.add_argument("--encoder", action="store_true", help="in the manifest, too: for an engine that encodes")
    args = parser.parse_args()
    torch.manual_seed(0)
    tokenizer, mebt = load_tokenizer(args.tokenizer), load_mebt(args.mebt)
    traits = tuple(replace(trait, offered=trait.name not in args.not_offered) for trait in mebt.config.traits)
    mebt.config = replace(mebt.config, traits=traits)
    preview, fit = fit_preview(tokenizer, Clips(args.clips))
    model = {
        "transformer": transformer_json(mebt),
        "tokenizer": tokenizer_json(tokenizer.config, args.encoder),
        "grid": list(mebt.config.grid),
        "frameRate": FRAME_RATE,
        "sampling": sampling(args),
    }
    if args.matrices in ("int8", "int4"):
        turn(mebt)
    tensors = transformer_tensors(mebt) | tokenizer_tensors(tokenizer, args.encoder) | preview
    manifest = write_model(args.out, args.name, model, tensors, args.matrices, args.group)
    write_encoder(tokenizer, args.out)
    total = sum(shard["bytes"] for shard in manifest["shards"])
    print(
        f"{args.name}: {manifest['parameters']:,} parameters, {total:,} bytes in {len(manifest['shards'])} shards, "
        f"preview {fit:.1f} dB, sha256 {manifest['sha256']}"
    )


if __name__ == "__main__":
    main()
