"""Refining a decoder: no token changes, losses see what they are for, a run goes on where it stopped."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from recipe.data import Clips
from recipe.optim import Average, save_checkpoint
from recipe.tokenizer import ablation, refine
from recipe.tokenizer.balance import Balance
from recipe.tokenizer.critic import Critic, matching
from recipe.tokenizer.fidelity import describe, flicker, sharpness
from recipe.tokenizer.load import load_tokenizer
from recipe.tokenizer.model import Stage, Tokenizer, TokenizerConfig
from recipe.tokenizer.perceptual import DAMAGES, Eye, damaged, skill, train_eye
from recipe.workers import Workers

torch.set_num_threads(1)
ALONE = Workers(0, 1, torch.device("cpu"))
CONFIG = TokenizerConfig(
    codes=16,
    code_width=4,
    norm="none",
    decoder=(Stage(18, (2, 2, 2), 1, kernel=(1, 3, 3)), Stage(6, (2, 2, 2), 1, kernel=(1, 3, 3))),
    encoder=(Stage(6, (2, 2, 2), 1, kernel=(1, 3, 3)), Stage(12, (2, 2, 2), 1, kernel=(1, 3, 3))),
    encoder_input=3,
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Clips of bright points and bars that move, a base tokenizer, an eye."""
    path = tmp_path_factory.mktemp("refine")
    random = np.random.default_rng(0)
    clips = np.full((10, 8, 32, 32, 3), 40, np.uint8)
    for clip in clips:
        for _ in range(12):
            y, x = random.integers(32, size=2)
            for t in range(8):
                clip[t, y, (x + t) % 32] = random.integers(120, 256)
        clip[:, 24:] = random.integers(0, 30)
    np.save(path / "clips.npy", clips)
    torch.manual_seed(0)
    model = Tokenizer(CONFIG)
    state = {"config": CONFIG.to_json(), "model": model.state_dict(), "average": Average(model, 0.9).shadow}
    save_checkpoint(path / "base.pt", **state, step=7, used=60.0)
    torch.manual_seed(1)
    torch.save(Eye().state_dict(), path / "eye.pt")
    return path


def options(folder: Path, out: str, losses: str, minutes: float) -> argparse.Namespace:
    texts = {
        "tokenizer": "base.pt",
        "train": "clips.npy",
        "validation": "clips.npy",
        "perceptual": "eye.pt",
        "out": out,
    }
    argv = [word for name, file in texts.items() for word in (f"--{name}", str(folder / file))]
    argv += ["--losses", losses, "--minutes", str(minutes), "--batch", "2", "--frames", "8", "--crop", "16"]
    argv += ["--checked", "1", "--warm-up", "0.1"]
    before, sys.argv = sys.argv, ["refine", *argv]
    try:
        return refine.parse()
    finally:
        sys.argv = before


@pytest.fixture(scope="module")
def refined(folder: Path) -> Path:
    refine.refine(options(folder, "all", "all", 0.03), ALONE)
    return folder / "all" / "tokenizer.pt"


def test_tokens_are_the_same_and_pictures_are_not(folder: Path, refined: Path) -> None:
    base, other = load_tokenizer(folder / "base.pt"), load_tokenizer(refined)
    decoder = ("post_quantization", "decoder_stages", "output")
    changed = other.state_dict()
    for name, value in base.state_dict().items():
        assert name.startswith(decoder) or torch.equal(value, changed[name]), name
    video = torch.rand(2, 3, 8, 32, 32) - 0.5
    ids = base.tokens(video)
    assert torch.equal(ids, other.tokens(video))
    assert not torch.equal(base.decode_tokens(ids), other.decode_tokens(ids))


def test_a_run_goes_on_with_its_critic_and_refuses_another_recipe(folder: Path, refined: Path) -> None:
    state = torch.load(refined, weights_only=True)
    assert state["step"] > 1
    assert state["beside"]["teacher"]["state"][0]["step"] == state["step"]
    run = refine.refine(options(folder, "all", "all", 0.03), ALONE)  # its minutes are used up
    assert run.step == state["step"]
    kept = run.beside["critic"].state_dict()
    assert all(torch.equal(kept[name], value) for name, value in state["beside"]["critic"].items())
    with pytest.raises(ValueError, match="another training"):
        refine.refine(options(folder, "all", "plain", 0.03), ALONE)
    with pytest.raises(ValueError, match="begun with"):
        refine.refine(argparse.Namespace(**vars(options(folder, "all", "all", 0.03)) | {"lr": 1.0}), ALONE)


def test_each_choice_of_losses_uses_what_it_names(folder: Path) -> None:
    logged = {}
    for losses in refine.LOSSES:
        refine.refine(options(folder, losses + "-short", losses, 0.01), ALONE)
        state = torch.load(folder / f"{losses}-short" / "tokenizer.pt", weights_only=True)
        logged[losses] = set(state["beside"]["balance"])
    assert logged["plain"] == logged["l1"] == {"plain"}
    assert logged["perceptual"] == {"plain", "perceptual"}
    assert logged["adversarial"] == {"plain", "adversarial", "matching"}
    assert logged["all"] == {"plain", "perceptual", "adversarial", "matching"}


def test_balance_gives_a_loss_its_share_whatever_its_scale() -> None:
    torch.manual_seed(0)
    last = nn.Parameter(torch.randn(3, 4))
    inputs = torch.randn(5, 4)

    def pull(scale: float) -> Tensor:
        output = inputs @ last.t()
        losses = {"plain": output.square().mean(), "other": scale * output.sum()}
        gradient = Balance(last, ALONE).gradient(output, losses, {"other": 0.5})
        plain = Balance(last, ALONE).gradient(output, {"plain": losses["plain"]}, {})
        (whole,) = torch.autograd.grad(output, last, gradient, retain_graph=True)
        (first,) = torch.autograd.grad(output, last, plain)
        torch.testing.assert_close((whole - first).norm(), 0.5 * first.norm())
        return whole

    torch.testing.assert_close(pull(1.0), pull(1e3))
    assert last.grad is None


def test_eye_learns_to_tell_damages_and_sees_blur_more_than_brightness(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    coarse = random.integers(60, 200, (24, 2, 8, 8, 3)).repeat(4, 2).repeat(4, 3)
    np.save(tmp_path / "clips.npy", coarse.astype(np.uint8))
    clips = Clips(tmp_path / "clips.npy")
    eye = train_eye(clips, 0, 8, 32, 3e-3, 0, steps=80)
    pictures = torch.stack([clips.read(i)[:, 0] for i in range(24)])
    shown, kinds = damaged(pictures, torch.Generator().manual_seed(2))
    assert kinds.shape == (24, 2, 2) and set(kinds.flatten().tolist()) == set(range(len(DAMAGES) + 1))
    untouched = F.interpolate(kinds[:, None].float(), scale_factor=16).expand_as(pictures) == 0
    assert torch.equal(shown[untouched], pictures[untouched])
    read = skill(eye, pictures)
    assert min(read["none"], read["blur"]) > 0.8, read
    blurred = F.avg_pool2d(F.pad(pictures, (1, 1, 1, 1), mode="replicate"), 3, 1)
    assert float(eye.distance(pictures, pictures)) == 0
    assert float(eye.distance(blurred, pictures)) > 3 * float(eye.distance(pictures + 0.02, pictures))


def test_critic_learns_to_tell_and_its_features_match_only_the_same() -> None:
    torch.manual_seed(0)
    critic = Critic()
    optimizer = torch.optim.AdamW(critic.parameters(), lr=2e-3)
    for _ in range(30):
        real = torch.rand(2, 3, 4, 16, 16) - 0.5
        loss = critic.hinge(critic(real)[0], critic(F.avg_pool3d(real, 3, 1, 1))[0])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    real = torch.rand(2, 3, 4, 16, 16) - 0.5
    (high, truth), (low, found) = critic(real), critic(F.avg_pool3d(real, 3, 1, 1))
    assert high.shape == (2, 1, 2, 4, 4)
    assert high.mean().item() > low.mean().item() + 0.5
    assert matching(truth, truth).item() == 0 < matching(found, truth).item()


def test_sharpness_tells_blur_and_wrong_detail() -> None:
    clip = np.random.default_rng(0).integers(0, 256, (4, 16, 16, 3)).astype(np.uint8)
    other = np.random.default_rng(1).integers(0, 256, clip.shape).astype(np.uint8)
    soft = ((clip.astype(int) + np.roll(clip, 1, 2).astype(int)) // 2).astype(np.uint8)
    assert sharpness(clip, clip) == pytest.approx({"sharpness": 1, "detail_match": 1})
    assert sharpness(clip, soft)["sharpness"] < 0.7
    assert abs(sharpness(clip, other)["detail_match"]) < 0.2


def test_flicker_sees_jumps_at_chunk_borders_only() -> None:
    ramp = (40 + 3 * np.arange(16))[:, None, None, None] * np.ones((1, 8, 8, 3))
    clip = ramp.astype(np.uint8)
    seams = (ramp + 4 * (np.arange(16) // 4 % 2)[:, None, None, None]).astype(np.uint8)
    wobble = (ramp + 4 * (np.arange(16) % 2)[:, None, None, None]).astype(np.uint8)
    assert flicker(clip, clip, 4)["flicker"] == 1 and flicker(clip, clip, 4)["pulse"] == 0
    assert flicker(clip, seams, 4)["pulse"] > 0.2
    assert flicker(clip, seams, 4)["flicker_of_error"] > 1e3
    assert flicker(clip, wobble, 4)["flicker_of_error"] == pytest.approx(1)
    assert describe(clip, clip, 4)["psnr"] == 100


def test_ablation_reports_every_tokenizer_and_keeps_what_is_known(
    folder: Path, refined: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = folder / "ablation"
    words = ["--tokenizers", f"base={folder / 'base.pt'}", f"all={refined}", "--test", str(folder / "clips.npy")]
    monkeypatch.setattr(sys, "argv", ["ablation", *words, "--count", "2", "--out", str(out)])
    ablation.main()
    first = json.loads((out / "ablation.json").read_text())
    base, other = first["tokenizers"]
    assert base["tokens"] == other["tokens"] and base["codes_in_use"] == other["codes_in_use"]
    assert base["training"] == {"losses": "base", "steps": 7, "minutes": 1.0}
    assert other["training"]["losses"] == "all" and other["training"]["processor_seconds_a_step"]["tokenizer"] > 0
    assert "| all |" in (out / "ablation.md").read_text() and (out / "ablation.png").exists()

    def never(*_: object) -> None:
        raise AssertionError("measured again")

    monkeypatch.setattr(ablation, "measure", never)
    ablation.main()
    assert json.loads((out / "ablation.json").read_text()) == first
