"""How held-out clips' tokens go together beyond what the model says of each: what linked draws (recipe.links) imitate.

`python -m recipe.evaluate.links --mebt runs/mebt.pt --tokenizer runs/tokenizer.pt --tokens runs/tokens-validation.npy
--out DIR` writes DIR/links.json and DIR/links.md.

With k tokens of the order `spread` known, the model gives a distribution for each of the next ones. The true code lies
at some place of it, codes from dark to bright; were tokens independent given the known ones, the places would be
uniform and have nothing to do with one another. As normal numbers their correlation is measured here, by how far two
tokens are from one another along one axis, and beside it stands what linked draws have there.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..links import Grid, codes_from_dark_to_bright, link_of
from ..mebt.load import load_mebt
from ..mebt.model import Mebt
from ..mebt.train import load_grids, split_in_order
from ..tokenizer.load import load_tokenizer
from .independence import known_counts
from .labels import Array
from .report import number, table

MOST = 1000  # tokens of a clip that are looked at; pairs are half of the square
READ = 1024  # masked tokens that the model reads, as in training
FEWEST = 50  # pairs that a correlation is worth a number
AXES = ("time", "height", "width")
# Distances along one axis, in tokens, first and last; along the others at most so many (time, height, width): tokens
# of an order that spreads them seldom share a frame.
DISTANCES: dict[str, tuple[tuple[int, int], ...]] = {
    "time": ((1, 1), (2, 3), (4, 7), (8, 15), (16, 31)),
    "height": ((1, 1), (2, 2), (3, 4), (5, 8)),
    "width": ((1, 1), (2, 2), (3, 4), (5, 8), (9, 15)),
}
BESIDE = {"time": (0, 0, 0), "height": (2, 0, 0), "width": (2, 0, 0)}


def true_places(probabilities: Tensor, truth: Tensor, order: Tensor, generator: torch.Generator) -> Tensor:
    """[n, V], [n] -> [n] normal numbers: where each code lies, at random within its own share."""
    rank = torch.empty_like(order).scatter_(0, order, torch.arange(order.shape[0]))
    reached = probabilities[:, order].cumsum(-1).double()
    above = reached.gather(1, rank[truth].unsqueeze(1)).squeeze(1)
    share = probabilities.gather(1, truth.unsqueeze(1)).squeeze(1).double()
    within = torch.rand(truth.shape, generator=generator, dtype=torch.float64)
    return torch.special.ndtri((above - within * share).clamp(1e-5, 1 - 1e-5))


@torch.no_grad()
def places_of_next(model: Mebt, grids: Tensor, order: Tensor, known: int, seed: int = 1) -> tuple[Array, Array]:
    """Held-out clips [N, T', H', W'] -> normal numbers of the next tokens and their positions, [N, n] each."""
    tokens, grid = grids.flatten(1), (int(grids.shape[1]), int(grids.shape[2]), int(grids.shape[3]))
    masked = tokens.shape[1] - known
    asked = min(masked, MOST)
    read = min(masked, max(READ, asked))
    generator = torch.Generator().manual_seed(seed)
    numbers, positions = [], []
    for clip in tokens.split(1):
        context, target = split_in_order("spread", 1, grid, masked, generator)
        with torch.autocast(tokens.device.type, torch.bfloat16):
            logits = model(clip, context, target[:, :read], stands_for=masked / read, asked=asked)
        truth = clip[0, target[0, :asked]]
        numbers.append(true_places(logits[0].float().softmax(-1), truth, order, generator).numpy())
        positions.append(target[0, :asked].numpy())
    return np.stack(numbers), np.stack(positions)


def pairs_at(apart: list[Array], axis: int, distance: tuple[int, int]) -> Array:
    """Which pairs of one clip are so far from one another; `apart`: [N, n, n] along each axis."""
    chosen = (apart[axis] >= distance[0]) & (apart[axis] <= distance[1])
    for other, most in enumerate(BESIDE[AXES[axis]]):
        if other != axis:
            chosen &= apart[other] <= most
    result: Array = chosen & np.triu(np.ones(chosen.shape[1:], dtype=bool), 1)
    return result


def describe(numbers: Array, positions: Array, grid: Grid, known: int) -> dict[str, Any]:
    """Mean products of pairs, and what they are of linked places, where so many tokens are known."""
    places = np.unravel_index(positions, grid)
    apart = [np.abs(place[:, :, None] - place[:, None, :]) for place in places]
    products = numbers[:, :, None] * numbers[:, None, :]
    linked = link_of(grid, known).at((apart[0], apart[1], apart[2]))
    report: dict[str, Any] = {}
    for axis, name in enumerate(AXES):
        report[name] = {}
        for distance in DISTANCES[name]:
            pairs = pairs_at(apart, axis, distance)
            enough = pairs.sum() >= FEWEST
            report[name][f"{distance[0]}-{distance[1]}"] = {
                "pairs": int(pairs.sum()),
                "measured": float(products[pairs].mean()) if enough else None,
                "linked": float(linked[pairs].mean()) if enough else None,
            }
    return report


def cell_text(cell: dict[str, Any]) -> str:
    return "" if cell["measured"] is None else f"{number(cell['measured'])} ({number(cell['linked'])})"


def markdown(report: dict[str, Any]) -> str:
    parts = []
    for name in AXES:
        distances = list(next(iter(report["known"].values()))[name])
        head = [f"known tokens; apart in {name}:", *(d.replace("-", " to ") for d in distances)]
        rows = [
            [known, *(cell_text(cell) for cell in facts[name].values())] for known, facts in report["known"].items()
        ]
        parts.append(table(head, rows))
    return "\n".join(parts)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mebt", type=Path, required=True)
    parser.add_argument("--tokenizer", type=Path, required=True)
    parser.add_argument("--tokens", type=Path, required=True, help="of held-out clips (recipe.mebt.tokens)")
    parser.add_argument("--clips", type=int, default=32)
    parser.add_argument(
        "--latent-frames", type=int, default=0, help="of each clip, the first; 0: the model's own length"
    )
    parser.add_argument("--threads", type=int, default=0, help="0: as many as PyTorch takes")
    parser.add_argument("--out", type=Path, required=True, help="folder")
    return parser.parse_args()


def main() -> None:
    args = parse()
    if args.threads:
        torch.set_num_threads(args.threads)
    model = load_mebt(args.mebt)
    order = codes_from_dark_to_bright(load_tokenizer(args.tokenizer))
    grids = load_grids([args.tokens])[: args.clips, : args.latent_frames or model.config.grid[0]]
    grid = (int(grids.shape[1]), int(grids.shape[2]), int(grids.shape[3]))
    report: dict[str, Any] = {"clips": len(grids), "grid": grid, "known": {}}
    for known in known_counts(grids[0].numel())[2::2]:
        report["known"][str(known)] = describe(*places_of_next(model, grids, order, known), grid, known)
    args.out.mkdir(parents=True, exist_ok=True)
    (args.out / "links.json").write_text(json.dumps(report, indent=1) + "\n")
    text = markdown(report)
    (args.out / "links.md").write_text(text)
    print(text)


if __name__ == "__main__":
    main()
