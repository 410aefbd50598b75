"""Writes a model as the page loads it: shards of raw little-endian bytes and a manifest.json (version 1).

int8 tensors have one float32 scale per output channel (the last axis), int4 tensors one per group of rows and output
channel: w = q * scale. Both are rounded as src/loader/convert/quantize.ts rounds, to the bit. A tensor, its scales
included, starts at a multiple of 4 and never crosses the end of a shard. `sha256` of the manifest is the hash of its
own bytes with these 64 digits replaced by zeros, so it covers shapes, offsets and, through the shards' hashes, every
weight.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

SHARD_BYTES = 4_000_000
Array = np.ndarray[Any, Any]


def nearest(x: Array) -> Array:
    """Rounded, halves upwards (NumPy's own rounding takes them to the even neighbour)."""
    low = np.floor(x)
    result: Array = low + (x - low >= 0.5)
    return result


def step_of(peak: Array, levels: int) -> Array:
    """float32 step that reaches `peak` in `levels` steps; 1 where that would be 0."""
    step = (peak.astype(np.float64) / levels).astype(np.float32)
    return np.where(step == 0, np.float32(1), step)


def quantize_int8(weight: Array) -> tuple[Array, Array]:
    """-> (int8 of the same shape, float32 scale per last-axis channel); zero channels get scale 1."""
    flat = weight.reshape(-1, weight.shape[-1]).astype(np.float32)
    scale = step_of(np.abs(flat).max(0), 127)
    levels = nearest(flat.astype(np.float64) / scale).clip(-127, 127)
    return levels.astype(np.int8).reshape(weight.shape), scale


# Shares of the peak that the outermost level may stand for: cutting a few values makes the steps finer.
CUTS = (1.0, 0.9, 0.8)


def quantize_int4(weight: Array, group: int) -> tuple[Array, Array]:
    """-> (levels in -8..7, int8 [I, O]; float32 scales [ceil(I/group), O]).

    -8 stands for the largest value of a group, or what is left of it after a cut: a positive one has a negative scale.
    Of the CUTS, the one with the least squared error.
    """
    flat = weight.reshape(-1, weight.shape[-1]).astype(np.float32)
    levels, scales = np.empty(flat.shape, np.int8), []
    for first in range(0, len(flat), group):
        rows = flat[first : first + group].astype(np.float64)
        peak = np.take_along_axis(rows, np.abs(rows).argmax(0)[None], 0)[0]  # with its sign
        least = np.full(peak.shape, np.inf)
        best, chosen = np.empty(peak.shape, np.float32), np.empty(rows.shape)
        for cut in CUTS:
            step = step_of(cut * peak, -8)
            quantized = nearest(rows / step).clip(-8, 7)
            error = ((quantized * step - rows) ** 2).sum(0)
            better = error < least
            least, best = np.where(better, error, least), np.where(better, step, best)
            chosen = np.where(better, quantized, chosen)
        levels[first : first + group] = chosen
        scales.append(best)
    return levels, np.stack(scales)


def pack_int4(levels: Array) -> Array:
    """Levels [I, O] -> uint32 [I, ceil(O/8)]: eight to a word, the first in the lowest bits."""
    padded = np.pad(levels, ((0, 0), (0, -levels.shape[1] % 8)))
    nibbles = (padded & 15).astype(np.uint32).reshape(len(padded), -1, 8)
    words: Array = np.bitwise_or.reduce(nibbles << np.arange(0, 32, 4, dtype=np.uint32), axis=2)
    return words


def unpack_int4(words: Array, columns: int) -> Array:
    """What pack_int4 has packed: uint32 [I, ceil(O/8)] -> levels [I, O]."""
    nibbles = (words[:, :, None] >> np.arange(0, 32, 4, dtype=np.uint32)) & 15
    levels: Array = ((nibbles.astype(np.int8) ^ 8) - 8).reshape(len(words), -1)[:, :columns]
    return levels


# Where nearly all weights of a transformer lie.
INT4 = re.compile(r"transformer\.(blocks\.\d+\.\w+|head)\.weight")


def choose_dtype(name: str, value: Array, matrices: str) -> str:
    """Matrices and kernels as asked for; the codebook, norms, biases, the few traits and the preview map in float32.

    With int8 the token embedding is float16: a code's row goes into the keys and values of every block that reads the
    context, and as int8 its rounding would be nearly half of all that is done to the logits. With int4 tables and the
    tokenizer's kernels are int8.
    """
    if value.ndim < 2 or name.startswith(("tokenizer.codebook", "transformer.traitEmbedding", "preview.")):
        return "float32"
    if matrices == "int8" and name == "transformer.tokenEmbedding":
        return "float16"
    if matrices == "int4" and not INT4.fullmatch(name):
        return "int8"
    return matrices


class ShardWriter:
    def __init__(self, folder: Path):
        self.folder, self.parts, self.size = folder, bytearray(), 0
        self.shards: list[dict[str, Any]] = []

    def add(self, data: bytes) -> dict[str, int]:
        if self.parts and len(self.parts) + len(data) > SHARD_BYTES:
            self.flush()
        place = {"shard": len(self.shards), "offset": len(self.parts)}
        self.parts += data + b"\0" * (-len(data) % 4)
        return place

    def flush(self) -> None:
        if not self.parts:
            return
        data = bytes(self.parts)
        digest = hashlib.sha256(data).hexdigest()
        file = f"shard-{len(self.shards)}.{digest[:8]}.bin"
        (self.folder / file).write_bytes(data)
        self.shards.append({"file": file, "bytes": len(data), "sha256": digest})
        self.parts = bytearray()


def write_model(
    folder: Path,
    name: str,
    model: Mapping[str, Any],
    tensors: Mapping[str, Array],
    matrices: str = "int8",
    group: int = 64,
) -> dict[str, Any]:
    """Stores `tensors` (float arrays, channels last) under `folder`; returns the manifest. `group`: of int4."""
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("shard-*.bin"):
        old.unlink()
    writer, entries = ShardWriter(folder), []
    for key, value in tensors.items():
        dtype = choose_dtype(key, value, matrices)
        entry: dict[str, Any] = {"name": key, "shape": list(value.shape), "dtype": dtype}
        if dtype == "int8":
            quantized, scale = quantize_int8(value)
            entry |= writer.add(quantized.tobytes())
            entry["scale"] = writer.add(scale.tobytes())
        elif dtype == "int4":
            levels, scale = quantize_int4(value, group)
            entry |= {"group": group, **writer.add(pack_int4(levels).tobytes())}
            entry["scale"] = writer.add(scale.tobytes())
        else:
            entry |= writer.add(np.ascontiguousarray(value, dtype=dtype).tobytes())
        entries.append(entry)
    writer.flush()
    manifest = {
        "format": "mebt-weights",
        "version": 1,
        "name": name,
        "license": "MIT",
        "parameters": sum(int(v.size) for k, v in tensors.items() if not k.startswith("preview.")),
        "model": model,
        "tensors": entries,
        "shards": writer.shards,
        "sha256": "0" * 64,
    }
    text = json.dumps(manifest, indent=1) + "\n"
    digest = hashlib.sha256(text.encode()).hexdigest()
    text = text.replace(f'"sha256": "{"0" * 64}"', f'"sha256": "{digest}"')
    (folder / "manifest.json").write_text(text)
    return {**manifest, "sha256": digest}


def read_tensors(folder: Path, manifest: Mapping[str, Any]) -> dict[str, Array]:
    """Every tensor in float32, as the page dequantizes it; from the shards alone."""
    shards = [(folder / shard["file"]).read_bytes() for shard in manifest["shards"]]

    def numbers(place: Mapping[str, Any], dtype: str, shape: tuple[int, ...]) -> Array:
        count = int(np.prod(shape))
        return np.frombuffer(shards[place["shard"]], dtype, count, place["offset"]).reshape(shape)

    found = {}
    for tensor in manifest["tensors"]:
        shape = tuple(tensor["shape"])
        if tensor["dtype"] == "int4":
            rows, columns = shape
            words = numbers(tensor, "uint32", (rows, -(-columns // 8)))
            scale = numbers(tensor["scale"], "float32", (-(-rows // tensor["group"]), columns))
            values = unpack_int4(words, columns) * scale.repeat(tensor["group"], 0)[:rows]
        else:
            values = numbers(tensor, tensor["dtype"], shape).astype(np.float32)
            if tensor["dtype"] == "int8":
                values = values * numbers(tensor["scale"], "float32", shape[-1:])
        found[tensor["name"]] = values.astype(np.float32)
    return found
