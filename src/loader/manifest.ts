/**
 * The weight manifest, version 1: what a `manifest.json` holds. A model is this file and the shards beside it.
 *
 * Tensors are channels last (linear [in, out], convolution [kt, kh, kw, in, out], up-convolution the same order,
 * embeddings [rows, C]). int8 has one float32 scale per output channel (the last axis): w = q * scale.
 */
import type { ModelConfig } from '../config/model';

export const MANIFEST_FORMAT = 'mebt-weights';
export const MANIFEST_VERSION = 1;

export type StoredDtype = 'float32' | 'float16' | 'int8';

/** Bytes inside a shard. A tensor never crosses the end of its shard. */
export interface ByteRange {
  /** Index into `shards`. */
  readonly shard: number;
  /** Bytes from the start of the shard; a multiple of 4. */
  readonly offset: number;
}

export interface TensorEntry extends ByteRange {
  readonly name: string;
  readonly shape: readonly number[];
  readonly dtype: StoredDtype;
  /** For int8: where the float32 scales lie, as many as the last axis is long. */
  readonly scale?: ByteRange;
}

export interface ShardEntry {
  /** File name, relative to the manifest. */
  readonly file: string;
  readonly bytes: number;
  /** Lower-case hex. */
  readonly sha256: string;
}

export interface Manifest {
  readonly format: typeof MANIFEST_FORMAT;
  readonly version: typeof MANIFEST_VERSION;
  readonly name: string;
  /** SPDX identifier, or a sentence. */
  readonly license: string;
  /** Number of weights that the model runs with (previews not counted). */
  readonly parameters: number;
  readonly model: ModelConfig;
  readonly tensors: readonly TensorEntry[];
  readonly shards: readonly ShardEntry[];
  /** Hash of the whole: SHA-256 of the manifest file's bytes with these 64 digits replaced by zeros. */
  readonly sha256: string;
}
