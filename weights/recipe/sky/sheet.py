"""A contact sheet: clips down, frames across, as PNG. `python -m recipe.sky.sheet out.png --seeds 0:12`."""

from __future__ import annotations

import argparse
import struct
import time
import zlib
from pathlib import Path

import numpy as np
import torch

from .render import render
from .scene import VARIETIES, draw_scene


def write_png(path: Path, picture: np.ndarray) -> None:
    """uint8 [H, W, 3] to a file, without an imaging library."""
    h, w, _ = picture.shape
    rows = np.concatenate([np.zeros((h, 1), np.uint8), picture.reshape(h, -1)], 1)

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", w, h, 8, 2, 0, 0, 0)
    body = chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows.tobytes(), 6)) + chunk(b"IEND", b"")
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + body)


def sheet(clips: np.ndarray, columns: int, scale: int, gap: int = 2) -> np.ndarray:
    """Clips [N, T, H, W, 3] -> one picture, frames evenly spaced, pixels repeated."""
    at = np.linspace(0, clips.shape[1] - 1, columns).round().astype(int)
    big = clips[:, at].repeat(scale, 2).repeat(scale, 3)
    big = np.pad(big, ((0, 0), (0, 0), (0, gap), (0, gap), (0, 0)))
    n, t, h, w, _ = big.shape
    return big.transpose(0, 2, 1, 3, 4).reshape(n * h, t * w, 3)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--seeds", default="0:12", help="first:last+1")
    parser.add_argument("--columns", type=int, default=8)
    parser.add_argument("--clips-across", type=int, default=1, help="groups of clips side by side")
    parser.add_argument("--frames", type=int, default=64)
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--scenes", choices=VARIETIES, default="sky-64")
    parser.add_argument("--scale", type=int, default=3)
    args = parser.parse_args()
    torch.set_num_threads(1)
    first, last = (int(s) for s in args.seeds.split(":"))
    began, clips = time.perf_counter(), []
    for seed in range(first, last):
        scene = draw_scene(seed, args.scenes)
        clips.append(render(scene, args.frames, args.size).numpy())
        print(
            f"{seed}: {scene.hour} sun {scene.sun_elevation_first:.1f}..{scene.sun_elevation_last:.1f} az "
            f"{scene.sun_azimuth:.0f}, {scene.cover} {scene.cumulus:.2f}, cirrus {scene.cirrus:.2f}, "
            f"{scene.land} {scene.land_height:.2f}, moon {scene.moon}, water {scene.water}, fog {scene.fog:.2f}, "
            f"lights {scene.lights}"
        )
    print(f"{(time.perf_counter() - began) / len(clips):.3f} s per clip")
    groups = np.array_split(np.stack(clips), args.clips_across)
    rows = max(len(g) for g in groups)
    groups = [np.pad(g, ((0, rows - len(g)), (0, 0), (0, 0), (0, 0), (0, 0))) for g in groups]
    write_png(args.out, np.concatenate([sheet(g, args.columns, args.scale) for g in groups], 1))


if __name__ == "__main__":
    main()
