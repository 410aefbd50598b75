"""Turns rendered clips into token grids once, so that the transformer's training never runs the tokenizer.

`python -m recipe.mebt.tokens --tokenizer runs/tokenizer.pt --clips runs/train.npy --out runs/train-tokens.npy`
writes int16 [N * 4, T', H', W']: every clip as it is, mirrored, backwards, and both.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch

from ..data import Clips
from ..tokenizer.load import load_tokenizer


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tokenizer", type=Path, required=True)
    parser.add_argument("--clips", type=Path, nargs="+", required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--plain", action="store_true", help="only the clips as they are (held-out data)")
    args = parser.parse_args()
    model = load_tokenizer(args.tokenizer)
    grids: list[np.ndarray] = []
    for path in args.clips:
        clips = Clips(path)
        for index in range(len(clips)):
            for flip, back in [(False, False)] if args.plain else [(f, b) for f in (False, True) for b in (False, True)]:
                video = clips.read(index, flip=flip, back=back).unsqueeze(0)
                with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
                    grids.append(model.tokens(video)[0].to(torch.int16).numpy())
            if index % 100 == 0:
                print(f"{path.name}: {index}/{len(clips)}", flush=True)
    np.save(args.out, np.stack(grids))


if __name__ == "__main__":
    main()
