"""Training goes on from what ships: the modules that are read back are those that were exported, but for rounding."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from recipe.fixtures.models import random_mebt
from recipe.manifest import write_model
from recipe.mebt.load import load_mebt
from recipe.names import tokenizer_json, tokenizer_tensors, transformer_json, transformer_tensors
from recipe.shipped import fill, shipped_mebt, shipped_tokenizer, write_checkpoint, write_encoder
from recipe.tests.test_manifest import MEBT, TOKENIZER
from recipe.tokenizer.model import Tokenizer


def test_what_is_exported_comes_back(tmp_path: Path) -> None:
    torch.manual_seed(0)
    tokenizer, mebt = Tokenizer(TOKENIZER), random_mebt(MEBT, 1)
    model = {"transformer": transformer_json(mebt), "tokenizer": tokenizer_json(TOKENIZER, False), "grid": [2, 2, 3]}
    tensors = transformer_tensors(mebt) | tokenizer_tensors(tokenizer, False)
    write_model(tmp_path, "tiny", model, tensors, matrices="float32")
    write_encoder(tokenizer, tmp_path)

    write_checkpoint(tmp_path / "mebt.pt", shipped_mebt(tmp_path), MEBT.to_json())
    again = load_mebt(tmp_path / "mebt.pt")
    assert again.config == MEBT
    for name, value in mebt.state_dict().items():
        assert torch.equal(again.state_dict()[name], value), name
    found = shipped_tokenizer(tmp_path, TOKENIZER)
    video = torch.rand(1, 3, 4, 8, 8) - 0.5
    ids = tokenizer.tokens(video)
    assert torch.allclose(found.decode_tokens(ids), tokenizer.decode_tokens(ids))
    assert torch.allclose(found.encode(video), tokenizer.encode(video), atol=5e-3)


def test_without_its_encoder_a_tokenizer_decodes_all_the_same(tmp_path: Path) -> None:
    tokenizer = Tokenizer(TOKENIZER)
    model = {"tokenizer": tokenizer_json(TOKENIZER, False)}
    write_model(tmp_path, "tiny", model, tokenizer_tensors(tokenizer, False), matrices="float32")
    found = shipped_tokenizer(tmp_path, TOKENIZER)
    ids = torch.arange(8).view(1, 2, 2, 2)
    assert torch.allclose(found.decode_tokens(ids), tokenizer.decode_tokens(ids))
    with pytest.raises(ValueError, match="is asked for, None is there"):
        fill({"tokenizer.encoder.input.weight": tokenizer_tensors(found, True)["tokenizer.encoder.input.weight"]}, {})
