"""What the page relies on in an exported model: quantization, places, hashes, names."""

from __future__ import annotations

import hashlib
import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from recipe import manifest as manifest_module
from recipe.fixtures.models import random_mebt
from recipe.manifest import Array, choose_dtype, pack_int4, quantize_int4, quantize_int8, read_tensors, write_model
from recipe.mebt.model import MebtConfig
from recipe.names import tokenizer_json, tokenizer_tensors, transformer_json, transformer_tensors
from recipe.tokenizer.model import DecoderStage, EncoderStage, Stage, Tokenizer, TokenizerConfig

TOKENIZER = TokenizerConfig(
    codes=9,
    code_width=4,
    norm="none",
    decoder=(Stage(8, (2, 2, 2), 2),),
    encoder=(Stage(8, (2, 2, 2), 1),),
    encoder_input=4,
)
MEBT = MebtConfig(vocabulary=9, grid=(2, 2, 3), width=12, heads=2, latent_tokens=4, modes=("latent_enc", "latent_dec"))


def exported() -> tuple[dict[str, Any], dict[str, Array]]:
    tokenizer, mebt = Tokenizer(TOKENIZER).requires_grad_(False), random_mebt(MEBT, 1)
    model = {"transformer": transformer_json(mebt), "tokenizer": tokenizer_json(TOKENIZER, True), "grid": [2, 2, 3]}
    return model, transformer_tensors(mebt) | tokenizer_tensors(tokenizer, True)


def test_bytes_are_those_that_the_page_converts_to() -> None:
    """The same values and hashes are in src/loader/convert/quantize.test.ts."""
    i = np.arange(1200)
    values = (((i * 7919) % 2003 - 1001) * (1 + i % 13) * 2.0**-10).astype(np.float32).reshape(100, 12)
    values[:, 5] = 0
    levels, scales = quantize_int4(values, 32)
    int8, scale = quantize_int8(values)
    hashes = [
        hashlib.sha256(data.tobytes() + more.tobytes()).hexdigest()
        for data, more in ((int8, scale), (pack_int4(levels), scales))
    ]
    assert hashes == [
        "12095e7d10ed23198ee9b83fc30bd93ffb64456c65fba2d7ec7ab43ac467cbe6",
        "4e7c69f92bc6d4696e2610aea26e8948b192b3cd659d230a8de77ac7b1927518",
    ]


def test_int8_errs_by_half_a_step_of_its_channel() -> None:
    weight = np.random.default_rng(0).normal(size=(3, 5, 7)).astype(np.float32) * np.logspace(
        -3, 3, 7, dtype=np.float32
    )
    weight[..., 2] = 0
    quantized, scale = quantize_int8(weight)
    assert quantized.dtype == np.int8
    assert scale.shape == (7,)
    error = np.abs(quantized * scale - weight).max((0, 1))
    assert (error <= scale / 2 * 1.0001).all()
    assert np.abs(quantized).max((0, 1)).tolist() == [127, 127, 0, 127, 127, 127, 127]


def test_codebook_norms_and_biases_stay_float32() -> None:
    matrix, vector = np.zeros((2, 3)), np.zeros(3)
    assert choose_dtype("tokenizer.codebook", matrix, "int8") == "float32"
    assert choose_dtype("preview.weight", matrix, "int8") == "float32"
    assert choose_dtype("transformer.finalNorm.scale", vector, "int8") == "float32"
    assert choose_dtype("transformer.head.weight", matrix, "int8") == "int8"


def test_tables_are_stored_more_exactly_than_matrices() -> None:
    def dtypes(name: str) -> list[str]:
        return [choose_dtype(name, np.zeros((2, 3)), matrices) for matrices in ("float32", "float16", "int8", "int4")]

    assert dtypes("transformer.tokenEmbedding") == ["float32", "float16", "float16", "int8"]
    assert dtypes("transformer.positionEmbedding") == ["float32", "float16", "int8", "int8"]
    assert dtypes("transformer.blocks.11.value.weight") == ["float32", "float16", "int8", "int4"]
    assert dtypes("tokenizer.decoder.output.weight") == ["float32", "float16", "int8", "int8"]


@pytest.mark.parametrize(("matrices", "limit"), [("float32", 0.0), ("float16", 1e-3), ("int8", 1e-3), ("int4", 1e-3)])
def test_a_model_reads_back(tmp_path: Path, matrices: str, limit: float) -> None:
    model, tensors = exported()
    found = read_tensors(tmp_path, write_model(tmp_path, "tiny", model, tensors, matrices))
    assert list(found) == list(tensors)
    for name, value in tensors.items():
        bound = limit * np.abs(value).max()
        dtype = choose_dtype(name, value, matrices)
        if dtype == "int4":
            bound = np.abs(value).max(0) * 0.2  # what a cut leaves out
        if dtype == "int8":
            bound = np.abs(value).reshape(-1, value.shape[-1]).max(0) / 127 / 2 * 1.0001
        assert (np.abs(found[name] - value) <= bound).all(), name


def test_hash_is_that_of_the_file_with_its_digits_zeroed(tmp_path: Path) -> None:
    returned = write_model(tmp_path, "tiny", *exported())
    text = (tmp_path / "manifest.json").read_text()
    manifest = json.loads(text)
    assert manifest == returned
    zeroed = text.replace(manifest["sha256"], "0" * 64)
    assert hashlib.sha256(zeroed.encode()).hexdigest() == manifest["sha256"] != "0" * 64


def test_shards_hold_every_tensor_whole_and_tell_their_hash(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(manifest_module, "SHARD_BYTES", 4000)
    manifest = write_model(tmp_path, "tiny", *exported())
    assert len(manifest["shards"]) > 3
    assert sorted(p.name for p in tmp_path.glob("*.bin")) == sorted(s["file"] for s in manifest["shards"])
    for shard in manifest["shards"]:
        data = (tmp_path / shard["file"]).read_bytes()
        assert (len(data), hashlib.sha256(data).hexdigest()) == (shard["bytes"], shard["sha256"])
    used: dict[int, list[tuple[int, int]]] = {}
    for tensor in manifest["tensors"]:
        size = int(np.prod(tensor["shape"])) * np.dtype(tensor["dtype"]).itemsize
        places = [(tensor, size)] + ([(tensor["scale"], 4 * tensor["shape"][-1])] if "scale" in tensor else [])
        for place, length in places:
            used.setdefault(place["shard"], []).append((place["offset"], place["offset"] + length))
    for shard, ranges in used.items():
        ranges.sort()
        assert all(start % 4 == 0 for start, _ in ranges)
        assert all(a[1] <= b[0] for a, b in pairwise(ranges))
        assert ranges[-1][1] <= manifest["shards"][shard]["bytes"]


def test_writing_again_leaves_no_old_shards(tmp_path: Path) -> None:
    model, tensors = exported()
    write_model(tmp_path, "tiny", model, tensors)
    again = write_model(tmp_path, "tiny", model, {"transformer.head.weight": tensors["transformer.head.weight"]})
    assert [p.name for p in tmp_path.glob("*.bin")] == [s["file"] for s in again["shards"]]


def test_layouts_are_channels_last() -> None:
    tokenizer, mebt = Tokenizer(TOKENIZER).requires_grad_(False), random_mebt(MEBT, 1)
    transformer, convolutions = transformer_tensors(mebt), tokenizer_tensors(tokenizer, True)
    assert transformer["transformer.blocks.0.expand.weight"].shape == (12, 48)
    assert transformer["transformer.head.weight"].shape == (12, 9)
    up = convolutions["tokenizer.decoder.stages.0.up.weight"]  # [kt, kh, kw, in, out]
    down = convolutions["tokenizer.encoder.stages.0.down.weight"]
    assert (up.shape, down.shape) == ((4, 4, 4, 8, 8), (4, 4, 4, 4, 8))
    decoder, encoder = tokenizer.decoder_stages[0], tokenizer.encoder_stages[0]
    assert isinstance(decoder, DecoderStage)
    assert isinstance(encoder, EncoderStage)
    assert up[1, 2, 3, 5, 6] == float(decoder.up.kernel_weight()[5, 6, 1, 2, 3])
    assert down[1, 2, 3, 2, 6] == float(encoder.down.kernel_weight()[6, 2, 1, 2, 3])
