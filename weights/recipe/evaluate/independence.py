"""What it costs to draw many tokens at once, in nats a clip: for every schedule and number of steps, beside the least
that any schedule could cost.

`python -m recipe.evaluate.independence --mebt runs/mebt.pt --tokens runs/tokens-validation.npy --out DIR` writes
DIR/independence.json and DIR/independence.md.

Tokens of one step are drawn without knowing of one another. Let f(k) be the nats of the next token of an order when k
are known. One at a time, all N tokens cost f(0) + … + f(N - 1); a step that goes from a to b known tokens pays
(b - a) f(a) in the place of f(a) + … + f(b - 1). The difference, which is what those tokens have to say of one another
(their total correlation) as far as the model knows it, is the independence cost: samples are off by it, however good
the model is. Summed over the steps it ranks schedules on held-out clips, where distances of few samples cannot. It
does not know which tokens matter to the eye, nor that a lower top-p hides some of it.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ..mebt.batches import ORDERS, load_grids, load_told, split_in_order
from ..mebt.load import load_mebt
from ..mebt.model import Mebt
from ..schedules import SCHEDULES, masked_count, progress
from .labels import Array
from .report import table

STEPS = (1, 2, 4, 8, 12, 16, 24, 32, 64)
# Tokens of the order that f(k) is a mean over, at the least; a quarter of the known ones where those are more.
NEXT = 64
KNOTS = 160  # numbers of known tokens among which the best schedule chooses


def known_counts(positions: int) -> list[int]:
    """0, and powers of two up to half of the clip, then three quarters."""
    powers = [2**i for i in range(positions.bit_length()) if 2 * 2**i <= positions]
    return [0, *powers, *([3 * positions // 4] if positions >= 4 else [])]


@torch.no_grad()
def nats_of_next(
    model: Mebt, grids: Tensor, order: str, seed: int = 1, scenes: Tensor | None = None
) -> dict[int, float]:
    """Held-out clips [N, T', H', W'] -> nats a token of the next ones of `order`, by the number of known ones.
    `scenes`: what the model is told of the clips."""
    tokens, grid = grids.flatten(1), (int(grids.shape[1]), int(grids.shape[2]), int(grids.shape[3]))
    positions, found = tokens.shape[1], {}
    for known in known_counts(positions):
        generator, total = torch.Generator().manual_seed(seed), 0.0
        count = min(positions - known, max(NEXT, known // 4))
        for number, clip in enumerate(tokens.split(1)):
            told = None if scenes is None else scenes[number : number + 1]
            context, target = split_in_order(order, 1, grid, positions - known, generator)
            with torch.autocast(tokens.device.type, torch.bfloat16):
                logits = model(clip, context, target, asked=count, scene=told)
            total += F.cross_entropy(logits[0].float(), clip[0, target[0, :count]]).item()
        found[known] = total / len(tokens)
    return found


class Curve:
    """f(k) for every k below N, between the measured ones linear in log(1 + k), and never rising: what is known helps,
    and where it seems not to, few clips are the reason."""

    def __init__(self, found: dict[int, float], positions: int):
        known = np.array(sorted(found), dtype=np.float64)
        values = np.minimum.accumulate([found[int(k)] for k in known])
        self.positions = positions
        self.values: Array = np.interp(np.log1p(np.arange(positions)), np.log1p(known), values)
        self.sums: Array = np.concatenate([[0.0], np.cumsum(self.values)])

    @property
    def least(self) -> float:
        """Nats of a clip, one token at a time."""
        return float(self.sums[-1])

    def price(self, starts: Array, ends: Array) -> Array:
        """Independence cost of drawing the tokens from `starts` (below N) to `ends` at once, for each pair."""
        result: Array = (ends - starts) * self.values[starts] - (self.sums[ends] - self.sums[starts])
        return result

    def cost(self, ends: list[int]) -> float:
        """Of all steps; `ends`: known tokens after each of them."""
        starts, after = np.array([0, *ends[:-1]]), np.array(ends)
        drawn = after > starts
        return float(self.price(starts[drawn], after[drawn]).sum())

    def best(self, steps: int) -> list[int]:
        """The cheapest known counts after each of so many steps, among KNOTS numbers: dynamic programming."""
        knots = np.unique(np.concatenate([[0], np.geomspace(1, self.positions, KNOTS).round().astype(np.int64)]))
        starts, ends = knots[:-1], knots
        pairs = starts[:, None], ends[None, :]
        price = np.where(pairs[1] > pairs[0], self.price(*pairs), np.inf)  # [starts, ends]
        paid, came = np.full(len(ends), np.inf), []
        paid[0] = 0.0
        for _ in range(steps):
            offers = np.vstack([paid[:-1, None] + price, paid])  # the last: a step that draws nothing
            came.append(offers.argmin(0))
            paid = offers.min(0)
        place, path = len(ends) - 1, []
        for choice in reversed(came):
            path.append(int(ends[place]))
            place = place if choice[place] == len(starts) else int(choice[place])
        return path[::-1]


def ends_of(schedule: str, steps: int, positions: int) -> list[int]:
    """Known tokens after each step, as sampling has them."""
    return [positions - masked_count(schedule, t, positions) for t in progress(steps)]


def describe(curve: Curve) -> dict[str, Any]:
    return {
        "nats_one_at_a_time": curve.least,
        "cost": {
            name: {str(steps): curve.cost(ends_of(name, steps, curve.positions)) for steps in STEPS}
            for name in SCHEDULES
        }
        | {"best": {str(steps): curve.cost(curve.best(steps)) for steps in STEPS}},
        "best_at_8": curve.best(8),
    }


def markdown(report: dict[str, Any]) -> str:
    parts = []
    for order, facts in report["orders"].items():
        rows = [[name, *(f"{row[str(steps)]:,.0f}" for steps in STEPS)] for name, row in facts["cost"].items()]
        head = [f"order `{order}`, nats a clip", *(f"{n} step{'s' if n > 1 else ''}" for n in STEPS)]
        parts.append(table(head, sorted(rows, key=lambda row: facts["cost"][row[0]]["8"])))
    return "\n".join(parts)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mebt", type=Path, required=True)
    parser.add_argument("--tokens", type=Path, required=True, help="of held-out clips (recipe.mebt.tokens)")
    parser.add_argument("--clips", type=int, default=16)
    parser.add_argument("--orders", choices=ORDERS, nargs="+", default=["spread"])
    parser.add_argument("--threads", type=int, default=0, help="0: as many as PyTorch takes")
    parser.add_argument("--out", type=Path, required=True, help="folder")
    return parser.parse_args()


def main() -> None:
    args = parse()
    if args.threads:
        torch.set_num_threads(args.threads)
    model = load_mebt(args.mebt)
    grids = load_grids([args.tokens])[: args.clips, : model.config.grid[0]]
    traits = model.config.traits
    scenes = load_told([args.tokens], traits).rows() if traits else None
    report: dict[str, Any] = {"clips": len(grids), "positions": grids[0].numel(), "orders": {}}
    for order in args.orders:
        found = nats_of_next(model, grids, order, scenes=scenes)
        report["orders"][order] = {"nats": {str(k): nats for k, nats in found.items()}} | describe(
            Curve(found, grids[0].numel())
        )
    args.out.mkdir(parents=True, exist_ok=True)
    (args.out / "independence.json").write_text(json.dumps(report, indent=1) + "\n")
    text = markdown(report)
    (args.out / "independence.md").write_text(text)
    print(text)


if __name__ == "__main__":
    main()
