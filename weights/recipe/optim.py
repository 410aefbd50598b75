"""What both trainings share: Muon for matrices with AdamW for the rest, a schedule over time, resumable checkpoints.

The budget of a run is wall-clock time, as that is what a machine without a GPU is short of: the learning rate
follows the share of the budget that is used up, so a run always ends on its cosine's tail, however fast the machine.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from .workers import Workers

EAGER = 10.0


class Optimizer:
    """Muon (momentum, orthogonalised updates; Jordan 2024) on hidden matrices, AdamW on everything else."""

    def __init__(
        self,
        matrices: Iterable[nn.Parameter],
        others: Iterable[nn.Parameter],
        lr: float,
        decay: float,
        eager: Iterable[nn.Parameter] = (),
    ):
        """`eager`: small tables that AdamW moves EAGER times as fast."""
        self.lr = lr
        self.muon = torch.optim.Muon(
            list(matrices), lr=lr, weight_decay=decay, momentum=0.95, adjust_lr_fn="match_rms_adamw"
        )
        groups: list[dict[str, Any]] = [{"params": list(others)}, *({"params": [p], "factor": EAGER} for p in eager)]
        self.adam = torch.optim.AdamW(groups, lr=lr, betas=(0.9, 0.95), weight_decay=0.0)

    def step(self, scale: float) -> None:
        """One update at `scale` times the peak learning rate; clears the gradients."""
        for optimizer in (self.muon, self.adam):
            for group in optimizer.param_groups:
                group["lr"] = self.lr * scale * group.get("factor", 1.0)
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)

    def state_dict(self) -> dict[str, Any]:
        return {"muon": self.muon.state_dict(), "adam": self.adam.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.muon.load_state_dict(state["muon"])
        self.adam.load_state_dict(state["adam"])


class Average:
    """Exponential moving average of a module's parameters, warmed up so that early steps do not linger."""

    def __init__(self, module: nn.Module, decay: float):
        self.decay = decay
        self.shadow = {name: p.detach().clone() for name, p in module.named_parameters()}

    def update(self, module: nn.Module, step: int) -> None:
        decay = min(self.decay, (1 + step) / (10 + step))
        for name, p in module.named_parameters():
            self.shadow[name].lerp_(p.detach(), 1 - decay)

    def load_into(self, module: nn.Module) -> None:
        with torch.no_grad():
            for name, p in module.named_parameters():
                p.copy_(self.shadow[name])


class Clock:
    """Share of the budget of time (the wall clock's, or `now`) that is used, over all resumed parts of a run."""

    def __init__(self, budget_minutes: float, used_seconds: float = 0.0, now: Callable[[], float] | None = None):
        self.now = now or time.monotonic
        self.budget = budget_minutes * 60
        self.start = self.now() - used_seconds

    @property
    def used(self) -> float:
        return self.now() - self.start

    @property
    def progress(self) -> float:
        return min(1.0, self.used / self.budget)


def learning_rate_scale(step: int, progress: float, warmup: int) -> float:
    """Linear warm-up over `warmup` steps, then a cosine over the budget down to 2%."""
    return min(1.0, (step + 1) / warmup) * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * progress)))


def save_checkpoint(path: Path, **content: Any) -> None:
    """Writes beside the target first, so that an interrupted save never destroys the last good one."""
    partial = path.with_suffix(".partial")
    torch.save(content, partial)
    partial.replace(path)


class Stateful(Protocol):
    """What a checkpoint can keep beside the model: a second network, its optimizer, running means."""

    def state_dict(self) -> dict[str, Any]: ...

    def load_state_dict(self, state: Any, /) -> Any: ...


class Run:
    """How far a training is: step, clock, log, and the checkpoint that it resumes from when it is there.

    With `budget` it ends after that many operations (as told by `spend`) instead of after `minutes`.
    """

    def __init__(
        self,
        path: Path,
        log: Path,
        model: nn.Module,
        config: dict[str, Any],
        parts: tuple[Optimizer, Average],
        minutes: float,
        workers: Workers,
        beside: Mapping[str, Stateful] | None = None,
        *,
        budget: float = 0.0,
        now: Callable[[], float] | None = None,
    ):
        self.path, self.log_path, self.model, self.config, self.workers = path, log, model, config, workers
        self.optimizer, self.average = parts
        self.step, self.clock = 0, Clock(minutes, now=now)
        self.flops, self.budget = 0, budget
        self._progress, self.beside = 0.0, dict(beside or {})
        if path.exists():
            state = torch.load(path, weights_only=True, map_location=workers.device)
            if state.get("beside", {}).keys() != self.beside.keys():
                kept = sorted(state.get("beside", {}))
                raise ValueError(
                    f"{path} is of another training: it keeps {kept} beside the model. Name another folder."
                )
            for name, part in self.beside.items():
                part.load_state_dict(state["beside"][name])
            model.load_state_dict(state["model"])
            self.optimizer.load_state_dict(state["optimizer"])
            self.average.shadow, self.step = state["average"], state["step"]
            self.clock = Clock(minutes, state["used"], now)
            self.flops = state.get("flops", 0)
        workers.start_alike(model)

    def progress(self) -> float:
        """Share of the budget that is used, the same for all workers until the next call."""
        used = min(1.0, self.flops / self.budget) if self.budget else self.clock.progress
        self._progress = self.workers.agreed(used)
        return self._progress

    def spend(self, flops: int) -> None:
        """Operations of this process in a step; the other workers have as many."""
        self.flops += flops * self.workers.count

    def update(self, warmup: int) -> float:
        """One step of the optimizer at the scheduled rate, and of the average; returns the gradient's norm."""
        self.workers.average_gradients(self.model.parameters())
        norm = float(nn.utils.clip_grad_norm_(self.model.parameters(), 1.0))
        self.optimizer.step(learning_rate_scale(self.step, self._progress, warmup))
        self.average.update(self.model, self.step)
        self.step += 1
        return norm

    def log(self, **row: float | int | str) -> None:
        """A line of the log, after step and minutes; only the first worker writes."""
        if self.workers.first:
            spent = {"teraflops": self.flops / 1e12} if self.flops else {}
            append_log(self.log_path, step=self.step, minutes=self.clock.used / 60, **spent, **row)

    def save(self) -> None:
        if self.workers.first:
            save_checkpoint(
                self.path,
                config=self.config,
                model=self.model.state_dict(),
                average=self.average.shadow,
                optimizer=self.optimizer.state_dict(),
                step=self.step,
                used=self.clock.used,
                beside={name: part.state_dict() for name, part in self.beside.items()},
                flops=self.flops,
            )


def restore_averaged(module: nn.Module, state: dict[str, Any]) -> None:
    """Fills `module` from a checkpoint with the averaged weights and freezes it for use."""
    module.load_state_dict(state["model"])
    with torch.no_grad():
        for name, parameter in module.named_parameters():
            parameter.copy_(state["average"][name])
    module.eval().requires_grad_(False)


def append_log(path: Path, **row: float | int | str) -> None:
    with path.open("a") as file:
        file.write(json.dumps({k: round(v, 5) if isinstance(v, float) else v for k, v in row.items()}) + "\n")
    print(" ".join(f"{k}={v:.4g}" if isinstance(v, float) else f"{k}={v}" for k, v in row.items()), flush=True)


def psnr(a: Tensor, b: Tensor) -> float:
    """Peak signal-to-noise ratio in dB of videos with a range of 1; the mean over clips of each clip's own."""
    error = (a.clamp(-0.5, 0.5) - b).square().flatten(1).mean(1).clamp_min(1e-10)
    return float((-10 * error.log10()).mean())
