"""Times the recipe's own networks in PyTorch, as rows that the page's bench puts beside its own.

`python -m recipe.bench --device cuda --dtype float16 --out runs/pytorch.json`, then, in the root of the repository,
`npm run bench -- --from RUN.json,weights/recipe/runs/pytorch.json`. Weights are random; half of the tokens are known.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from .flops import forward_flops
from .mebt.model import MEBTS, Mebt, MebtConfig, mebt_modes
from .tokenizer.model import TOKENIZERS, Tokenizer

Row = dict[str, Any]

#: The paper's transformer for 128 frames of 128 x 128 pixels.
OFFICIAL = MebtConfig(
    vocabulary=16384, grid=(32, 16, 16), width=1024, heads=16, latent_tokens=256, modes=mebt_modes(6, 5)
)
#: The model that the page's bench measures.
PAGE_MODEL = "sky-64"
FRAMES = (16, 64, 128)
FRAMES_PER_LATENT = 8
SIDE = 16
TOKENS = (1024, 2048, 4096, 8192)
CASES = ("official-8192", *(f"forward-{n}" for n in TOKENS), *(f"decode-{n}" for n in FRAMES))
DTYPES = {"float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16}


class Stopwatch:
    """Runs until `seconds` are over, `runs` at most, after a warm-up; a GPU is waited for."""

    def __init__(self, device: torch.device, seconds: float, runs: int):
        self.device, self.seconds, self.runs = device, seconds, runs

    def once(self, work: Callable[[], Tensor]) -> float:
        """Milliseconds."""
        began = time.perf_counter()
        work()
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
        return (time.perf_counter() - began) * 1000

    def times(self, work: Callable[[], Tensor]) -> list[float]:
        spent = self.once(work)
        times = [self.once(work)]
        while len(times) < self.runs and spent + sum(times) + times[-1] < 1000 * self.seconds:
            times.append(self.once(work))
        return times


def prepared_forward(
    config: MebtConfig, device: torch.device, dtype: torch.dtype
) -> tuple[Callable[[], Tensor], int, int]:
    """-> (a pass over all positions, half of them context; its operations; bytes of its weights)."""
    model = Mebt(config).eval().requires_grad_(False).to(device, dtype)
    order = torch.randperm(config.positions).unsqueeze(0)
    half = config.positions // 2
    tokens = torch.randint(config.vocabulary, (1, config.positions)).to(device)
    context, target = order[:, :half].to(device), order[:, half:].to(device)
    weights = sum(p.numel() * p.element_size() for p in model.parameters())
    return lambda: model(tokens, context, target), forward_flops(config, half, config.positions - half), weights


def prepared_decode(frames: int, device: torch.device, dtype: torch.dtype) -> tuple[Callable[[], Tensor], int]:
    """-> (a decode of the whole clip at once, bytes of the decoder's weights)."""
    config = TOKENIZERS[PAGE_MODEL]
    model = Tokenizer(config).eval().requires_grad_(False).to(device, dtype)
    grid = (frames // FRAMES_PER_LATENT, SIDE, SIDE)
    latents = (
        torch.randn(1, config.code_width, *grid).to(device, dtype).contiguous(memory_format=torch.channels_last_3d)
    )
    parts = [p for name, p in model.named_parameters() if not name.startswith(("encoder", "pre_quantization"))]
    return lambda: model.decode(latents), sum(p.numel() * p.element_size() for p in parts)


def longer(config: MebtConfig, tokens: int) -> MebtConfig:
    return replace(config, grid=(tokens // (SIDE * SIDE), SIDE, SIDE))


def describe(device: torch.device, dtype: str) -> str:
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else f"{torch.get_num_threads()} threads"
    return f"{name}, PyTorch {torch.__version__.split('+')[0]} {dtype}"


@torch.inference_mode()
def measure(case: str, device: torch.device, dtype: str, watch: Stopwatch) -> Row:
    """One row as bench/rows.ts has them; a case that fails (for want of memory) says why."""
    kind, _, number = case.partition("-")
    flops = None
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    if kind == "decode":
        work, weights = prepared_decode(int(number), device, DTYPES[dtype])
        text = f"{int(number) // FRAMES_PER_LATENT}×{SIDE}×{SIDE} tokens, {PAGE_MODEL}'s sizes, the whole clip at once"
    else:
        config = OFFICIAL if kind == "official" else longer(MEBTS[PAGE_MODEL], int(number))
        work, flops, weights = prepared_forward(config, device, DTYPES[dtype])
        text = f"{config.positions // 2} + {config.positions // 2} tokens, width {config.width}, random weights"
    times = watch.times(work)
    median = statistics.median(times)
    peak = torch.cuda.max_memory_allocated(device) if device.type == "cuda" else None
    return {
        "case": case,
        "backend": device.type,
        "adapter": describe(device, dtype),
        "contender": "pytorch",
        "ms": {"median": median, "min": min(times), "max": max(times)},
        "gflops": None if flops is None else flops / 1e6 / median,
        "bytes": peak,
        "activationBytes": None if peak is None else peak - weights,
        "runs": len(times),
        "work": text,
        "difference": None,
        "share": None,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--dtype", choices=DTYPES, default="float32")
    parser.add_argument("--only", nargs="+", choices=CASES, help="all of them on cuda; on a CPU all but the official")
    parser.add_argument("--seconds", type=float, default=10.0, help="for one case")
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    device = torch.device(args.device)
    watch = Stopwatch(device, args.seconds, args.runs)
    rows: list[Row] = []
    for case in args.only or (CASES if device.type == "cuda" else CASES[1:]):
        rows.append(measure(case, device, args.dtype, watch))
        print(f"{case}: {rows[-1]['ms']['median']:.1f} ms, {rows[-1]['adapter']}", flush=True)
    args.out.write_text(json.dumps(rows, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
