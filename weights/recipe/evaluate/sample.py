"""Clips by PyTorch's sampler or by the tokenizer alone, in the folders that `npm run generate` writes, too.

`python -m recipe.evaluate.sample --tokenizer runs/tokenizer.pt --mebt runs/mebt.pt --count 64 --steps 24 --out DIR`
samples; `--clips runs/test.npy` in the place of --mebt writes what the tokenizer keeps of those clips. Quicker than the
page's engine on a CPU, and the same distribution of clips, but other ones for the same seeds.
"""

from __future__ import annotations

import argparse
import re
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..mebt.load import load_mebt
from ..mebt.model import Mebt
from ..quantized import quantized
from ..sampling import ORDERS, SAMPLING, sample_tokens
from ..schedules import SCHEDULES
from ..tokenizer.load import load_tokenizer
from ..tokenizer.model import Tokenizer
from ..traits import all_rows, parse_scene, scene_of_seed
from .clips import ClipWriter
from .labels import Array
from .network import to_video


def decoded(tokenizer: Tokenizer, ids: Tensor) -> Array:
    """ids [1, T', H', W'] -> uint8 [T, H, W, 3]. In bfloat16, as MeBT samples: no level of 255 is off by more than one
    (57 dB), and it takes half of the time."""
    with torch.autocast(ids.device.type, torch.bfloat16):
        return as_uint8(tokenizer.decode_tokens(ids)[0])


def as_uint8(video: Tensor) -> Array:
    """[3, T, H, W] in [-0.5, 0.5] -> uint8 [T, H, W, 3], rounded."""
    levels = ((video.float().clamp(-0.5, 0.5) + 0.5) * 255).round().to(torch.uint8)
    result: Array = levels.permute(1, 2, 3, 0).cpu().numpy()
    return result


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tokenizer", type=Path, required=True)
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--mebt", type=Path)
    what.add_argument("--clips", type=Path, help="reconstruct these, .npy")
    parser.add_argument("--count", type=int, default=64)
    parser.add_argument("--steps", type=int, default=int(SAMPLING["steps"]))
    parser.add_argument("--choice-temperature", type=float, default=float(SAMPLING["choiceTemperature"]))
    parser.add_argument("--temperature", type=float, default=1.0)
    parser.add_argument("--top-p", type=float, default=1.0)
    parser.add_argument("--top-p-from", type=float, default=0.0, help="share of known tokens from which top-p holds")
    parser.add_argument("--guidance", type=float, default=0.0, help="by how much what known tokens say is stressed")
    parser.add_argument("--guidance-from", type=float, default=0.0, help="share of known tokens from which it is")
    parser.add_argument("--bootstrap", type=int, default=0, help="tokens, one at a time, before the steps")
    parser.add_argument("--revise", type=int, default=0, help="passes over the finished grid, in two halves each")
    parser.add_argument("--revise-temperature", type=float, default=0.7)
    parser.add_argument("--schedule", choices=list(SCHEDULES), default="cosine")
    parser.add_argument("--order", choices=ORDERS, default="confidence", help="in which tokens are kept")
    parser.add_argument("--targets", type=int, default=0, help="masked tokens read at once at most; 0: all of them")
    parser.add_argument("--scene", default="", help="what clips are to be of, hour-night.wind-left; the rest is drawn")
    parser.add_argument(
        "--matrices",
        choices=["float32", "float16", "int8", "int4"],
        default="float32",
        help="as the page would get them",
    )
    parser.add_argument("--latent-frames", type=int, default=0, help="0: the model's own length")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=0, help="0: as many as PyTorch takes")
    return parser.parse_args()


def reconstruct(tokenizer: Tokenizer, clips: Array, count: int, device: str, out: Path) -> None:
    writer = ClipWriter(out, {"backend": "pytorch", "reconstructed": True}, count, clips.shape[1:4])
    while writer.finished < count:
        ids = tokenizer.tokens(to_video(clips[writer.finished : writer.finished + 1], device))
        writer.write(decoded(tokenizer, ids))
        print(f"{writer.finished} of {count}", flush=True)


def camel_case(options: dict[str, Any]) -> dict[str, Any]:
    """Named as the page's options."""
    return {re.sub(r"_(.)", lambda found: found[1].upper(), name): value for name, value in options.items()}


def sample(tokenizer: Tokenizer, mebt: Mebt, args: argparse.Namespace) -> None:
    """Uncurated: clip i has the seed `args.seed` + i."""
    latent = args.latent_frames or mebt.config.grid[0]
    t, h, w = tokenizer.config.downsample
    extent = (latent * t, mebt.config.grid[1] * h, mebt.config.grid[2] * w)
    chosen = {
        "choice_temperature": args.choice_temperature,
        "temperature": args.temperature,
        "top_p": args.top_p,
        "top_p_from": args.top_p_from,
        "guidance": args.guidance,
        "guidance_from": args.guidance_from,
        "schedule": args.schedule,
        "order": args.order,
        "targets": args.targets,
        "bootstrap": args.bootstrap,
        "revise": args.revise,
        "revise_temperature": args.revise_temperature,
    }
    options = {"seed": args.seed, "steps": args.steps, "frames": extent[0], **camel_case(chosen)}
    if mebt.config.traits:
        options["scene"] = args.scene
    options["revisePasses"] = options.pop("revise")
    made = {"backend": "pytorch", "options": options}
    if args.matrices != "float32":
        made["weights"] = [args.matrices]
    writer = ClipWriter(args.out, made, args.count, extent)
    while writer.finished < args.count:
        seed = args.seed + writer.finished
        scene = scene_of_seed(mebt.config.traits, parse_scene(args.scene), seed)
        told = None if scene is None else all_rows(mebt.config.traits, [scene]).to(args.device)
        ids = sample_tokens(mebt, 1, latent, args.steps, seed=seed, scene=told, **chosen)
        writer.write(decoded(tokenizer, ids), scene)
        print(f"{writer.finished} of {args.count}", flush=True)


@torch.no_grad()
def main() -> None:
    args = parse()
    if args.threads:
        torch.set_num_threads(args.threads)
    tokenizer = load_tokenizer(args.tokenizer).to(args.device)
    if args.clips:
        clips = np.load(args.clips, mmap_mode="r")
        reconstruct(tokenizer, clips, min(args.count, len(clips)), args.device, args.out)
        return
    mebt = load_mebt(args.mebt)
    if args.matrices != "float32":
        tokenizer, mebt = quantized(tokenizer.cpu(), args.matrices).to(args.device), quantized(mebt, args.matrices)
    sample(tokenizer, mebt.to(args.device), args)


if __name__ == "__main__":
    main()
