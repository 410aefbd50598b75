"""Renders a split of the sky clips to disk: `python -m recipe.sky.dataset train --count 2500 --out DIR`.

Writes DIR/<split>.npy (uint8 [N, T, H, W, 3], memory-mapped while rendering), DIR/<split>.jsonl (one scene a
line, in the same order) and DIR/<split>.done.npy (uint8 [N], 1 where a clip is finished). Started again with
the same arguments it goes on where it stopped; with a larger --count it refuses rather than mixing files.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing as mp
import sys
import time
from pathlib import Path

import numpy as np

from .scene import VARIETIES, draw_scene

_clips: np.memmap  # of a worker, set when it starts
_device: str
_variety: str

# First seed and one past the last seed of each split; they never overlap (a test holds this).
SPLITS: dict[str, tuple[int, int]] = {
    "train": (0, 1_000_000),
    "validation": (1_000_000, 1_100_000),
    "test": (1_100_000, 1_200_000),
}


def split_seeds(split: str, start: int, count: int) -> range:
    """Seeds of clips start .. start+count of a split."""
    first, end = SPLITS[split]
    seeds = range(first + start, first + start + count)
    if start < 0 or count < 1 or seeds.stop > end:
        raise ValueError(f"{split}: clips {start}..{start + count} do not fit its {end - first} seeds")
    return seeds


def _open(path: Path, shape: tuple[int, ...]) -> np.memmap:
    """An existing .npy of this very shape, or a new one of zeros."""
    if path.exists():
        found = np.load(path, mmap_mode="r+")
        if found.shape != shape or found.dtype != np.uint8:
            raise ValueError(f"{path}: holds {found.dtype} {found.shape}, asked for uint8 {shape}; move it away first")
        return found
    return np.lib.format.open_memmap(path, mode="w+", dtype=np.uint8, shape=shape)


def _start_worker(path: Path, device: str, variety: str) -> None:
    global _clips, _device, _variety
    import torch

    torch.set_num_threads(1)
    _clips, _device, _variety = np.load(path, mmap_mode="r+"), device, variety


def _work(job: tuple[int, int]) -> int:
    """Renders one seed into its place; returns the place."""
    from .render import render

    index, seed = job
    _, frames, size = _clips.shape[:3]
    _clips[index] = render(draw_scene(seed, _variety), frames, size, _device).cpu().numpy()
    return index


def _write_labels(path: Path, seeds: range, variety: str) -> None:
    lines = [json.dumps(draw_scene(s, variety).labels()) for s in seeds]
    if path.exists() and path.read_text().splitlines() != lines:
        raise ValueError(f"{path}: labels of other scenes (seeds or recipe changed); move the split away first")
    path.write_text("\n".join(lines) + "\n")


def build(
    split: str,
    start: int,
    count: int,
    out: Path,
    frames: int,
    size: int,
    workers: int,
    device: str = "cpu",
    variety: str = "sky-64",
) -> None:
    """Renders what is missing of the split."""
    out.mkdir(parents=True, exist_ok=True)
    seeds = split_seeds(split, start, count)
    _write_labels(out / f"{split}.jsonl", seeds, variety)
    path = out / f"{split}.npy"
    clips = _open(path, (count, frames, size, size, 3))
    done = _open(out / f"{split}.done.npy", (count,))
    jobs = [(i, seeds[i]) for i in range(count) if not done[i]]
    print(f"{split}: {count} clips, {count - len(jobs)} already there, {workers} workers -> {path}", flush=True)
    began = told = time.monotonic()
    with mp.get_context("spawn").Pool(workers, _start_worker, (path, device, variety)) as pool:
        for n, index in enumerate(pool.imap_unordered(_work, jobs, chunksize=4), 1):
            done[index] = 1
            now = time.monotonic()
            if now - told > 5 or n == len(jobs):
                told, rate = now, n / (now - began)
                print(f"{n}/{len(jobs)}  {rate:.1f} clips/s  {(len(jobs) - n) / rate:.0f} s left", flush=True)
                done.flush()
    clips.flush()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("split", choices=list(SPLITS))
    parser.add_argument("--count", type=int, required=True)
    parser.add_argument("--start", type=int, default=0, help="first clip inside the split's seeds")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--frames", type=int, default=64)
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--scenes", choices=VARIETIES, default="sky-64", help="which set of scenes the seeds draw")
    a = parser.parse_args()
    build(a.split, a.start, a.count, a.out, a.frames, a.size, a.workers, a.device, a.scenes)
    return 0


if __name__ == "__main__":
    sys.exit(main())
