"""Several processes train as one: the same weights and codes in all of them, the gradient of the whole batch."""

from __future__ import annotations

import os
from pathlib import Path

import torch
from torch import nn
from torch.multiprocessing.spawn import spawn

from recipe.optim import Average, Optimizer, Run
from recipe.tokenizer.model import Codebook
from recipe.workers import Workers, join_workers

torch.set_num_threads(1)
STEPS = 3


def batch(step: int) -> torch.Tensor:
    return torch.randn(8, 4, generator=torch.Generator().manual_seed(step))


def train(workers: Workers, folder: Path) -> tuple[nn.Linear, Codebook]:
    torch.manual_seed(workers.rank)  # processes begin apart; joining makes them alike
    model, book = nn.Linear(4, 4), Codebook(3, 4)
    workers.start_alike(book)
    book.ready.fill_(True)
    folder.mkdir(exist_ok=True)
    parts = Optimizer(list(model.parameters())[:1], list(model.parameters())[1:], 1e-2, 0.0), Average(model, 0.9)
    run = Run(folder / "run.pt", folder / "run.jsonl", model, {}, parts, 60.0, workers)
    for step in range(STEPS):
        run.progress()
        own = batch(step).chunk(workers.count)[workers.rank]
        model(own).square().mean().backward()
        book(own.view(-1, 4, 1, 1, 1), workers)
        run.update(warmup=1)
    run.log(done=1)
    return model, book


def work(rank: int, folder: str) -> None:
    os.environ |= {"RANK": str(rank), "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "29533"}
    model, book = train(join_workers(), Path(folder))
    torch.save({"model": model.state_dict(), "codes": book.codes, "counts": book.counts}, Path(folder) / f"{rank}.pt")
    torch.distributed.destroy_process_group()


def test_two_processes_are_one_with_the_whole_batch(tmp_path: Path) -> None:
    spawn(work, (str(tmp_path),), nprocs=2)
    one, other = (torch.load(tmp_path / f"{rank}.pt") for rank in range(2))
    alone, book = train(Workers(0, 1, torch.device("cpu")), tmp_path / "alone")
    torch.testing.assert_close(one, other, rtol=0, atol=0)
    torch.testing.assert_close(one["model"], dict(alone.state_dict()), rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(one["counts"], book.counts, rtol=1e-6, atol=1e-6)
    assert len((tmp_path / "run.jsonl").read_text().splitlines()) == 1  # only the first writes
