/**
 * Stored values to float32 or to packed matrices, and verified shards to tensors. Stored numbers are little-endian, as every platform
 * that runs a browser is, so that typed arrays may look at the bytes directly.
 */
import * as tf from '@tensorflow/tfjs-core';
import {
  type Matrix,
  type PackedValues,
  packBytes,
  readsPacked,
  unpack,
  uploadMatrix,
} from '../kernels/matrix';
import { LoadError } from './errors';
import {
  type ByteRange,
  type Manifest,
  rowsAndColumns,
  scalesOf,
  sizeOf,
  storedBytes,
  type TensorEntry,
} from './manifest';

/** IEEE 754 half precision: 1 sign, 5 exponent, 10 fraction bits. */
export function halfToFloat(half: number): number {
  const sign = half & 0x8000 ? -1 : 1;
  const exponent = (half >> 10) & 0x1f;
  const fraction = half & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

/** A shard's bytes by its index in the manifest. */
type Shard = (index: number) => ArrayBuffer;

/** The values of a tensor, in a new array that shares nothing with the shards. */
export function dequantize(entry: TensorEntry, shard: Shard): Float32Array<ArrayBuffer> {
  const buffer = shard(entry.shard);
  const size = sizeOf(entry.shape);
  switch (entry.dtype) {
    case 'float32':
      return new Float32Array(buffer, entry.offset, size).slice();
    case 'float16':
      return Float32Array.from(new Uint16Array(buffer, entry.offset, size), halfToFloat);
    case 'int8':
      return scaleBytes(new Int8Array(buffer, entry.offset, size), scalesIn(entry, shard));
    case 'int4':
      return unpack(packedValues(entry, shard));
  }
}

/** scales [O]; q [I, O] */
function scaleBytes(q: Int8Array, scales: Float32Array): Float32Array<ArrayBuffer> {
  const values = new Float32Array(q.length);
  for (let row = 0; row < q.length; row += scales.length) {
    for (let o = 0; o < scales.length; o += 1) values[row + o] = (q[row + o] ?? 0) * (scales[o] ?? 0);
  }
  return values;
}

/** An int8 or int4 tensor as the kernels take it: a view of the shard where the layouts agree. */
function packedValues(entry: TensorEntry, shard: Shard): PackedValues {
  const shape = rowsAndColumns(entry.shape);
  const [rows, columns] = shape;
  const buffer = shard(entry.shard);
  const scales = scalesIn(entry, shard);
  if (entry.dtype === 'int4' && entry.group !== undefined) {
    const words = new Int32Array(buffer, entry.offset, storedBytes(entry) / 4);
    return { bits: 4, shape, group: entry.group, words, scales };
  }
  const bytes = new Int8Array(buffer, entry.offset, rows * columns);
  return { bits: 8, shape, group: rows, words: packBytes(bytes, columns), scales };
}

function scalesIn(entry: TensorEntry, shard: Shard): Float32Array {
  if (!entry.scale) throw new Error(`dequantize: ${entry.dtype} tensor ${entry.name} has no scale`);
  return new Float32Array(shard(entry.scale.shard), entry.scale.offset, scalesOf(entry));
}

/**
 * Tensors by name, as the model's `WeightReader` has them: on the current backend, and the caller's. A shard's memory is
 * given back once all its tensors were read; the tensor read last can be read again, older ones may be gone.
 */
export class StoredWeights {
  private readonly entries: Map<string, TensorEntry>;
  private readonly unread: Set<string>;
  private last: TensorEntry | null = null;

  constructor(
    readonly manifest: Manifest,
    private readonly shards: (ArrayBuffer | null)[],
  ) {
    this.entries = new Map(manifest.tensors.map((entry) => [entry.name, entry]));
    this.unread = new Set(this.entries.keys());
  }

  /**
   * float32.
   * @param shape what the model needs; -1 accepts any extent of that axis
   * @throws LoadError `not-a-manifest` when the tensor is missing or of another shape
   */
  tensor(name: string, shape: readonly number[]): tf.Tensor {
    return this.read(name, shape, (entry, shard) =>
      tf.tensor(dequantize(entry, shard), [...entry.shape], 'float32'),
    );
  }

  /** Packed as it is stored, where the backend's kernels read that; else float32. Throws as `tensor`. */
  matrix(name: string, shape: readonly [rows: number, columns: number]): Matrix {
    return this.read(name, shape, (entry, shard) =>
      readsPacked() && entry.scale
        ? uploadMatrix(packedValues(entry, shard))
        : tf.tensor2d(dequantize(entry, shard), [...rowsAndColumns(entry.shape)]),
    );
  }

  /** Gives back the memory of everything, read or not. */
  release(): void {
    this.shards.fill(null);
    this.unread.clear();
  }

  private read<T>(name: string, shape: readonly number[], make: (entry: TensorEntry, shard: Shard) => T): T {
    const entry = this.entries.get(name);
    if (!entry) throw this.misfit(`they have no tensor ${name}`);
    const fits =
      shape.length === entry.shape.length && shape.every((axis, i) => axis === -1 || axis === entry.shape[i]);
    if (!fits) {
      throw this.misfit(
        `${name} has shape [${entry.shape.join(', ')}], but the model needs [${shape.join(', ')}]`,
      );
    }
    if (this.last !== entry) this.giveBackRead();
    const result = make(entry, (index) => {
      const buffer = this.shards[index];
      if (!buffer) throw new Error(`StoredWeights: ${name} was read before, and its memory was given back.`);
      return buffer;
    });
    this.unread.delete(name);
    this.last = entry;
    return result;
  }

  /** Frees the shards of the tensor read before, where no unread tensor lies in them. */
  private giveBackRead(): void {
    if (!this.last) return;
    const waiting = new Set<number>();
    for (const name of this.unread) {
      for (const range of rangesOf(this.entries.get(name))) waiting.add(range.shard);
    }
    for (const { shard } of rangesOf(this.last)) if (!waiting.has(shard)) this.shards[shard] = null;
  }

  private misfit(what: string): LoadError {
    const message = `The weights of ${this.manifest.name} do not fit their configuration: ${what}. Export the model again.`;
    return new LoadError('not-a-manifest', message, false);
  }
}

function rangesOf(entry: TensorEntry | undefined): readonly ByteRange[] {
  if (!entry) return [];
  return entry.scale ? [entry, entry.scale] : [entry];
}
