"""Contact sheets: what the tokenizer keeps of held-out clips, and uncurated samples of the transformer.

`python -m recipe.sheet reconstructions --tokenizer ... --clips ... --out sheet.png`
`python -m recipe.sheet samples --tokenizer ... --mebt ... --out sheet.png`
`python -m recipe.sheet clips --clips FOLDER --out sheet.png` shows the first clips of `npm run generate`, or of a .npy.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from .data import Clips
from .evaluate.clips import open_clips
from .evaluate.network import to_video
from .mebt.load import load_mebt
from .sampling import ORDERS, SAMPLING, sample_tokens
from .schedules import SCHEDULES
from .tokenizer.load import load_tokenizer
from .traits import all_rows, parse_scene, scene_of_seed


def strip(video: Tensor, columns: int) -> np.ndarray:
    """[3, T, H, W] in [-0.5, 0.5] -> one row of `columns` frames, uint8 [H, columns * W, 3]."""
    picks = torch.linspace(0, video.shape[1] - 1, columns).round().long()
    frames = ((video[:, picks].clamp(-0.5, 0.5) + 0.5) * 255).to(torch.uint8)
    return frames.permute(2, 1, 3, 0).flatten(1, 2).numpy()


def save(rows: list[np.ndarray], path: Path, scale: int) -> None:
    image = Image.fromarray(np.concatenate(rows))
    image = image.resize((image.width * scale, image.height * scale), Image.Resampling.BICUBIC)
    image.save(path, quality=90)  # of a JPEG: stars stay


@torch.no_grad()
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["reconstructions", "samples", "clips"])
    parser.add_argument("--tokenizer", type=Path)
    parser.add_argument("--mebt", type=Path)
    parser.add_argument("--clips", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--count", type=int, default=12)
    parser.add_argument("--columns", type=int, default=8)
    parser.add_argument("--scale", type=int, default=2)
    parser.add_argument("--steps", type=int, default=int(SAMPLING["steps"]))
    parser.add_argument("--choice-temperature", type=float, default=float(SAMPLING["choiceTemperature"]))
    parser.add_argument("--temperature", type=float, default=1.0)
    parser.add_argument("--top-k", type=int, default=0)
    parser.add_argument("--bootstrap", type=int, default=0)
    parser.add_argument("--revise", type=int, default=0)
    parser.add_argument("--schedule", choices=list(SCHEDULES), default="cosine")
    parser.add_argument("--order", choices=ORDERS, default="confidence")
    parser.add_argument("--top-p", type=float, default=1.0)
    parser.add_argument("--top-p-from", type=float, default=0.0)
    parser.add_argument("--guidance", type=float, default=0.0)
    parser.add_argument("--guidance-from", type=float, default=0.0)
    parser.add_argument("--targets", type=int, default=0)
    parser.add_argument("--scene", default="", help="see recipe.evaluate.sample")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    if args.what == "clips":
        shown = open_clips(args.clips, count=args.count).array
        save([strip(to_video(shown[i : i + 1])[0], args.columns) for i in range(len(shown))], args.out, args.scale)
        return
    tokenizer = load_tokenizer(args.tokenizer)
    rows = []
    if args.what == "reconstructions":
        clips = Clips(args.clips)
        for index in range(args.count):
            video = clips.read(index)
            decoded = tokenizer.decode_tokens(tokenizer.tokens(video.unsqueeze(0)))[0]
            rows += [strip(video, args.columns), strip(decoded, args.columns)]
    else:
        mebt = load_mebt(args.mebt)
        traits, chosen = mebt.config.traits, parse_scene(args.scene)
        scenes = [scene_of_seed(traits, chosen, args.seed + i) for i in range(args.count)]
        ids = sample_tokens(
            mebt,
            args.count,
            mebt.config.grid[0],
            args.steps,
            args.choice_temperature,
            args.temperature,
            args.top_k,
            args.bootstrap,
            args.revise,
            seed=args.seed,
            schedule=args.schedule,
            top_p=args.top_p,
            top_p_from=args.top_p_from,
            guidance=args.guidance,
            guidance_from=args.guidance_from,
            order=args.order,
            targets=args.targets,
            scene=all_rows(traits, [scene for scene in scenes if scene]) if traits else None,
        )
        rows = [strip(tokenizer.decode_tokens(one.unsqueeze(0))[0], args.columns) for one in ids]
    save(rows, args.out, args.scale)


if __name__ == "__main__":
    main()
