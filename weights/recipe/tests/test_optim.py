"""What the trainings share: the optimizer learns and resumes, the average follows, a save is never half done."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from torch import nn

from recipe.optim import Average, Clock, Optimizer, append_log, learning_rate_scale, psnr, save_checkpoint

torch.set_num_threads(1)


def net() -> tuple[nn.Sequential, Optimizer]:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(8, 32), nn.Tanh(), nn.Linear(32, 8))
    matrices = [p for p in model.parameters() if p.ndim == 2]
    return model, Optimizer(matrices, [p for p in model.parameters() if p.ndim == 1], 1e-2, 0.0)


def train(model: nn.Module, optimizer: Optimizer, steps: range) -> float:
    loss = torch.zeros(())
    for step in steps:
        x = torch.randn(64, 8, generator=torch.Generator().manual_seed(step))
        loss = (model(x) - x.flip(1)).square().mean()
        loss.backward()
        optimizer.step(1.0)
    return loss.item()


def test_it_learns() -> None:
    model, optimizer = net()
    before = train(model, optimizer, range(1))
    assert train(model, optimizer, range(1, 150)) < 0.05 * before


def test_a_resumed_run_is_the_same_run(tmp_path: Path) -> None:
    whole, optimizer = net()
    train(whole, optimizer, range(6))
    half, optimizer = net()
    train(half, optimizer, range(3))
    save_checkpoint(tmp_path / "x.pt", model=half.state_dict(), optimizer=optimizer.state_dict())
    state = torch.load(tmp_path / "x.pt", weights_only=True)
    resumed, optimizer = net()
    resumed.load_state_dict(state["model"])
    optimizer.load_state_dict(state["optimizer"])
    train(resumed, optimizer, range(3, 6))
    for a, b in zip(whole.parameters(), resumed.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=0)


def test_step_clears_gradients() -> None:
    model, optimizer = net()
    train(model, optimizer, range(1))
    assert all(p.grad is None for p in model.parameters())


def test_average_follows_and_loads() -> None:
    model = nn.Linear(2, 2)
    average = Average(model, 0.9)
    with torch.no_grad():
        model.weight.fill_(1.0)
        start = average.shadow["weight"].clone()
        average.update(model, 0)  # early: decay (1 + 0) / (10 + 0)
        torch.testing.assert_close(average.shadow["weight"], start * 0.1 + 0.9)
        average.update(model, 10_000)
        torch.testing.assert_close(average.shadow["weight"], (start * 0.1 + 0.9) * 0.9 + 0.1)
    average.load_into(model)
    assert torch.equal(model.weight, average.shadow["weight"])


def test_learning_rate_warms_up_and_ends_at_two_percent() -> None:
    assert learning_rate_scale(0, 0.0, 50) == pytest.approx(0.02)
    assert learning_rate_scale(49, 0.0, 50) == pytest.approx(1.0)
    assert learning_rate_scale(5000, 0.5, 50) == pytest.approx(0.51)
    assert learning_rate_scale(5000, 1.0, 50) == pytest.approx(0.02)


def test_clock_counts_earlier_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr("recipe.optim.time.monotonic", lambda: now[0])
    clock = Clock(1.0, used_seconds=30.0)
    now[0] += 15
    assert clock.used == pytest.approx(45)
    assert clock.progress == pytest.approx(0.75)
    now[0] += 100
    assert clock.progress == 1


def test_a_failed_save_keeps_the_last_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "run.pt"
    save_checkpoint(path, step=1)

    def broken(_content: object, target: Path) -> None:
        target.write_bytes(b"half")
        raise OSError("disk full")

    monkeypatch.setattr(torch, "save", broken)
    with pytest.raises(OSError, match="disk full"):
        save_checkpoint(path, step=2)
    assert torch.load(path, weights_only=True) == {"step": 1}


def test_log_is_json_lines(tmp_path: Path) -> None:
    append_log(tmp_path / "log.jsonl", step=1, loss=0.123456789)
    append_log(tmp_path / "log.jsonl", step=2)
    rows = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert rows == [{"step": 1, "loss": 0.12346}, {"step": 2}]


def test_psnr_of_a_known_error() -> None:
    clip = torch.zeros(2, 3, 2, 4, 4)
    assert psnr(clip + 0.1, clip) == pytest.approx(20, abs=1e-3)
    assert psnr(clip + 9.0, clip) == pytest.approx(6.0206, abs=1e-3)  # clamped to 0.5
