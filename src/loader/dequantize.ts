/**
 * Stored values to float32, and verified shards to tensors. Stored numbers are little-endian, as every platform
 * that runs a browser is, so that typed arrays may look at the bytes directly.
 */
import * as tf from '@tensorflow/tfjs-core';
import { LoadError } from './errors';
import {
  type ByteRange,
  type Manifest,
  rowsAndColumns,
  scalesOf,
  sizeOf,
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

/** The values of a tensor, in a new array that shares nothing with the shards. */
export function dequantize(
  entry: TensorEntry,
  shard: (index: number) => ArrayBuffer,
): Float32Array<ArrayBuffer> {
  const size = sizeOf(entry.shape);
  const buffer = shard(entry.shard);
  if (entry.dtype === 'float32') return new Float32Array(buffer, entry.offset, size).slice();
  if (entry.dtype === 'float16') {
    return Float32Array.from(new Uint16Array(buffer, entry.offset, size), halfToFloat);
  }
  if (!entry.scale) throw new Error(`dequantize: ${entry.dtype} tensor ${entry.name} has no scale`);
  const [rows, columns] = rowsAndColumns(entry.shape);
  const scales = new Float32Array(shard(entry.scale.shard), entry.scale.offset, scalesOf(entry));
  const values = new Float32Array(size);
  if (entry.dtype === 'int8') {
    const quantized = new Int8Array(buffer, entry.offset, size);
    for (let row = 0; row < size; row += columns) {
      for (let c = 0; c < columns; c += 1) values[row + c] = (quantized[row + c] ?? 0) * (scales[c] ?? 0);
    }
    return values;
  }
  const wordsPerRow = Math.ceil(columns / 8);
  const words = new Int32Array(buffer, entry.offset, rows * wordsPerRow);
  for (let row = 0; row < rows; row += 1) {
    const scaleRow = Math.floor(row / (entry.group ?? rows)) * columns;
    for (let c = 0; c < columns; c += 1) {
      const word = words[row * wordsPerRow + (c >> 3)] ?? 0;
      const nibble = (word << (28 - 4 * (c & 7))) >> 28; // shifted up and back, which carries the sign along
      values[row * columns + c] = nibble * (scales[scaleRow + c] ?? 0);
    }
  }
  return values;
}

/**
 * Tensors by name. Reading a tensor uploads it to the current backend and belongs to the caller. A shard's memory is
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
   * @param shape what the model needs; -1 accepts any extent of that axis
   * @throws LoadError `not-a-manifest` when the tensor is missing or of another shape
   */
  readonly read = (name: string, shape: readonly number[]): tf.Tensor => {
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
    const values = dequantize(entry, (index) => {
      const buffer = this.shards[index];
      if (!buffer) throw new Error(`StoredWeights: ${name} was read before, and its memory was given back.`);
      return buffer;
    });
    this.unread.delete(name);
    this.last = entry;
    return tf.tensor(values, [...entry.shape], 'float32');
  };

  /** Gives back the memory of everything, read or not. */
  release(): void {
    this.shards.fill(null);
    this.unread.clear();
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
