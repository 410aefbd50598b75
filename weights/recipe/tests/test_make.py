"""The whole recipe as a list of commands: each is one that its module takes, and reads what an earlier one has made."""

from __future__ import annotations

import contextlib
import io
import re
import runpy
from pathlib import Path

import pytest

from recipe.make import parse, steps


def command_lines(*more: str) -> list[list[str]]:
    given = ["--model", "sky-128", "--out", "runs", "--exported", "made/sky-128", "--device", "cpu", *more]
    return [step.arguments for step in steps(parse(given))]


@pytest.mark.parametrize("more", [(), ("--data", "videos"), ("--processes", "2")])
def test_every_option_is_one_of_its_module(more: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    for module, *given in command_lines(*more):
        monkeypatch.setattr("sys.argv", [module, "--help"])
        text = io.StringIO()
        with contextlib.redirect_stdout(text), pytest.raises(SystemExit):
            runpy.run_module(module, run_name="__main__", alter_sys=True)
        known = set(re.findall(r"--[\w-]+", text.getvalue()))
        assert {option for option in given if option.startswith("--")} <= known, module


def test_nothing_is_read_before_it_is_made() -> None:
    made: set[str] = set()
    for module, *given in command_lines():
        out = given[given.index("--out") + 1]
        for value in given:
            for path in re.findall(r"runs/[\w./-]+", value):
                if path != out:
                    parents = [str(parent) for parent in Path(path).parents]
                    assert path in made or any(parent in made for parent in parents if parent != "."), (module, path)
        made.add(out)


def test_trainings_share_their_batches_under_torchrun() -> None:
    given = ["--model", "sky-64", "--out", "runs", "--exported", "sky-64", "--processes", "4"]
    together = [step.name for step in steps(parse(given)) if "torch.distributed.run" in step.command()]
    assert together == ["tokenizer", "decoder, refined", "transformer"]
