"""Weighs losses on one output by the gradients they send, and keeps count of what each costs. No losses in here."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from ..workers import Workers

DECAY = 0.9  # of the running means of gradient norms
LARGEST = 1e4  # weight, as in VQGAN: a loss without a gradient is not blown up


class Balance:
    """The first loss counts as it is; every other one so that its gradient on the last layer has a given share of the
    first one's (the adaptive weight of Esser et al. 2021, over running means)."""

    def __init__(self, last: nn.Parameter, workers: Workers):
        self.last, self.workers = last, workers
        self.norms: dict[str, float] = {}

    def gradient(self, output: Tensor, losses: Mapping[str, Tensor], shares: Mapping[str, float]) -> Tensor:
        """d(weighted sum) / d(output); no parameter collects a gradient on the way."""
        found = {name: torch.autograd.grad(loss, output, retain_graph=True)[0] for name, loss in losses.items()}
        sizes = torch.stack(
            [torch.autograd.grad(output, self.last, g, retain_graph=True)[0].float().norm() for g in found.values()]
        )
        self.workers.sum_(sizes)
        for name, size in zip(found, sizes.tolist(), strict=True):
            self.norms[name] = DECAY * self.norms.get(name, size) + (1 - DECAY) * size
        first = next(iter(found))
        total = found.pop(first)
        for name, g in found.items():
            total = total + min(shares[name] * self.norms[first] / (self.norms[name] + 1e-12), LARGEST) * g
        return total

    def state_dict(self) -> dict[str, Any]:
        return dict(self.norms)

    def load_state_dict(self, state: dict[str, Any], /) -> None:
        self.norms = dict(state)


class Costs:
    """Seconds of the processor, all threads together, by part of the work. Says nothing of a GPU's time."""

    def __init__(self) -> None:
        self.spent: dict[str, float] = {}

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        began = time.process_time()
        yield
        self.spent[name] = self.spent.get(name, 0.0) + time.process_time() - began

    def state_dict(self) -> dict[str, Any]:
        return dict(self.spent)

    def load_state_dict(self, state: dict[str, Any], /) -> None:
        self.spent = dict(state)
