"""Writes a model as the page loads it: shards of raw little-endian bytes and a manifest.json (version 1).

int8 tensors have one float32 scale per output channel (the last axis): w = q * scale. A tensor, its scales included,
starts at a multiple of 4 and never crosses the end of a shard. `sha256` of the manifest is the hash of its own bytes
with these 64 digits replaced by zeros, so it covers shapes, offsets and, through the shards' hashes, every weight.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

SHARD_BYTES = 4_000_000
Array = np.ndarray[Any, Any]


def quantize_int8(weight: Array) -> tuple[Array, Array]:
    """-> (int8 of the same shape, float32 scale per last-axis channel); zero channels get scale 1."""
    flat = weight.reshape(-1, weight.shape[-1]).astype(np.float32)
    peak = np.abs(flat).max(0)
    scale = np.where(peak > 0, peak / 127, 1).astype(np.float32)
    return np.round(flat / scale).astype(np.int8).reshape(weight.shape), scale


@dataclass
class Tensor:
    """One tensor ready to store: channels last, with the dtype that it is stored in."""

    value: Array
    dtype: str


def choose_dtype(name: str, value: Array, matrices: str) -> str:
    """Matrices and kernels as asked for; the codebook, norms, biases and the preview map in float32."""
    if value.ndim < 2 or name.startswith(("tokenizer.codebook", "preview.")):
        return "float32"
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
    folder: Path, name: str, model: Mapping[str, Any], tensors: Mapping[str, Array], matrices: str = "int8"
) -> dict[str, Any]:
    """Stores `tensors` (float arrays, channels last) under `folder`; returns the manifest."""
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
