"""Draws the curves of both trainings from their logs, for the model card.

`python -m recipe.report --tokenizer-log runs/tokenizer.jsonl --mebt-log runs/mebt.jsonl --out sky-64/` writes
tokenizer-curves.png and mebt-curves.png, and nothing else.
"""

from __future__ import annotations

import argparse
import json
import re
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

Row = dict[str, float]
INK, MUTED = "#1f2a44", "#8a93a6"


def read_log(path: Path) -> list[Row]:
    return [json.loads(line) for line in path.read_text().splitlines() if line]


def curve(rows: list[Row], x: str, y: str) -> tuple[list[float], list[float]]:
    """The points where both were logged."""
    points = [(row[x], row[y]) for row in rows if x in row and y in row]
    return [p[0] for p in points], [p[1] for p in points]


def new_figure(panels: int) -> tuple[Figure, list[Axes]]:
    figure, axes = plt.subplots(1, panels, figsize=(4.2 * panels, 3), squeeze=False, layout="constrained")
    for axis in axes[0]:
        axis.spines[["top", "right"]].set_visible(False)
        axis.grid(alpha=0.25)
    return figure, list(axes[0])


def save(figure: Figure, path: Path) -> None:
    figure.savefig(path, dpi=110, metadata={"Software": None})
    plt.close(figure)
    print(f"{path}: {path.stat().st_size:,} bytes")


def label(axis: Axes, title: str, x: str) -> None:
    axis.set_title(title, fontsize=10, loc="left")
    axis.set_xlabel(x, fontsize=9)
    axis.tick_params(labelsize=8)


def tokenizer_curves(rows: list[Row]) -> Figure:
    figure, (loss, quality, codes) = new_figure(3)
    loss.plot(*curve(rows, "minutes", "loss"), color=INK)
    label(loss, "Training loss", "minutes")
    quality.plot(*curve(rows, "minutes", "psnr"), color=MUTED, lw=1, label="training batches")
    quality.plot(*curve(rows, "minutes", "validation_psnr"), color=INK, marker="o", ms=3, label="held out")
    last = curve(rows, "minutes", "averaged_validation_psnr")
    quality.plot(*last, "*", color="#d9822b", ms=10, label="held out, averaged weights")
    quality.legend(fontsize=8, frameon=False, loc="lower right")
    label(quality, "PSNR, dB", "minutes")
    codes.plot(*curve(rows, "minutes", "codes_used"), color=INK, marker="o", ms=3)
    codes.set_ylim(0, 1.02)
    label(codes, "Share of codes in use, held out", "minutes")
    return figure


def masked_share(name: str) -> float:
    return float(name.rsplit("_", 1)[1])


def mebt_curves(rows: list[Row]) -> Figure:
    figure, (loss, held_out) = new_figure(2)
    loss.plot(*curve(rows, "minutes", "loss"), color=INK, lw=1)
    label(loss, "Training loss, nats a token", "minutes")
    names = sorted({name for row in rows for name in row if re.fullmatch(r"nll_[\d.]+", name)}, key=masked_share)
    colours: Any = plt.get_cmap("viridis")
    for i, name in enumerate(names):
        colour = colours(0.85 * i / max(1, len(names) - 1))
        held_out.plot(*curve(rows, "step", name), color=colour, marker="o", ms=2, label=f"{masked_share(name):.1%}")
        held_out.plot(*curve(rows, "step", f"averaged_{name}"), "*", color=colour, ms=9)
    beside: dict[str, Any] = {"loc": "upper left", "bbox_to_anchor": (1.01, 1), "reverse": True}  # in the curves' order
    held_out.legend(title="masked\n(star: averaged)", fontsize=8, title_fontsize=8, frameon=False, **beside)
    label(held_out, "Held out, nats a token", "step")
    return figure


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tokenizer-log", type=Path)
    parser.add_argument("--mebt-log", type=Path)
    parser.add_argument("--out", type=Path, required=True, help="folder")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    if args.tokenizer_log:
        save(tokenizer_curves(read_log(args.tokenizer_log)), args.out / "tokenizer-curves.png")
    if args.mebt_log:
        save(mebt_curves(read_log(args.mebt_log)), args.out / "mebt-curves.png")


if __name__ == "__main__":
    main()
