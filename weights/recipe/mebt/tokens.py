"""Turns rendered clips into token grids once, so that the transformer's training never runs the tokenizer.

`python -m recipe.mebt.tokens --tokenizer runs/tokenizer.pt --clips runs/train.npy --out runs/tokens-flip.npy --flip`
writes int16 [N, T', H', W'], and beside it the clips' labels (.jsonl) where they have any. A clip mirrored (--flip) or
backwards (--back) is new data, with labels of its own: one file for each.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import torch

from ..data import Clips
from ..evaluate.labels import read_labels, transformed
from ..tokenizer.load import load_tokenizer


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tokenizer", type=Path, required=True)
    parser.add_argument("--clips", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--flip", action="store_true", help="mirror the clips left to right")
    parser.add_argument("--back", action="store_true", help="play the clips backwards")
    parser.add_argument("--batch", type=int, default=4)
    args = parser.parse_args()
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    model, clips = load_tokenizer(args.tokenizer).to(device), Clips(args.clips)
    grids: list[np.ndarray] = []
    for start in range(0, len(clips), args.batch):
        indices = range(start, min(start + args.batch, len(clips)))
        videos = torch.stack([clips.read(i, flip=args.flip, back=args.back) for i in indices])
        with torch.no_grad(), torch.autocast(device.type, torch.bfloat16):
            ids = model.tokens(videos.contiguous(memory_format=torch.channels_last_3d).to(device))
        grids.append(ids.to(torch.int16).cpu().numpy())
        if start % 100 == 0:
            print(f"{start}/{len(clips)}", flush=True)
    np.save(args.out, np.concatenate(grids))
    labels = args.clips.with_suffix(".jsonl")
    if labels.exists():
        rows = (transformed(row, args.flip, args.back) for row in read_labels([labels], len(clips)))
        args.out.with_suffix(".jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


if __name__ == "__main__":
    main()
