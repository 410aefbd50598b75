"""Where a training runs: one process on a CPU or a GPU, or many under `torchrun`, each with its share of every batch.

Models here are small, so gradients are averaged in one flat message after the backward pass; nothing wraps the model.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass

import torch
import torch.distributed as dist
from torch import Tensor, nn


@dataclass(frozen=True)
class Workers:
    rank: int
    count: int
    device: torch.device

    @property
    def first(self) -> bool:
        """Whether this process writes logs and checkpoints."""
        return self.rank == 0

    def share(self, batch: int) -> int:
        """This process's part of a batch."""
        return max(1, batch // self.count)

    def autocast(self) -> AbstractContextManager[None]:
        return torch.autocast(self.device.type, torch.bfloat16)

    def sum_(self, tensor: Tensor) -> Tensor:
        """Adds up a tensor over all processes, in place."""
        if self.count > 1:
            dist.all_reduce(tensor)
        return tensor

    def agreed(self, number: float) -> float:
        """The first process's number: clocks differ, and all must leave a loop at the same step."""
        if self.count == 1:
            return number
        message = torch.tensor([number], dtype=torch.float64, device=self.device)
        dist.broadcast(message, 0)
        return float(message)

    def average_gradients(self, parameters: Iterable[nn.Parameter]) -> None:
        if self.count == 1:
            return
        gradients = [p.grad for p in parameters if p.grad is not None]
        flat = self.sum_(torch.cat([g.flatten() for g in gradients])).div_(self.count)
        for gradient, part in zip(gradients, flat.split([g.numel() for g in gradients]), strict=True):
            gradient.copy_(part.view_as(gradient))

    def start_alike(self, module: nn.Module) -> None:
        """The first process's weights and buffers for all."""
        if self.count > 1:
            for tensor in (*module.parameters(), *module.buffers()):
                dist.broadcast(tensor.data, 0)


def join_workers() -> Workers:
    """Reads what `torchrun` sets (RANK, WORLD_SIZE, LOCAL_RANK); without it, this process is alone."""
    count, rank = int(os.environ.get("WORLD_SIZE", "1")), int(os.environ.get("RANK", "0"))
    device = torch.device("cpu")
    if torch.cuda.is_available():
        device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))
        torch.cuda.set_device(device)
    if count > 1 and not dist.is_initialized():
        dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
    return Workers(rank, count, device)
