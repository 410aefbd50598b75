/**
 * Stored values to float32, and verified shards to tensors. Stored numbers are little-endian, as every platform
 * that runs a browser is, so that typed arrays may look at the bytes directly.
 */
import * as tf from '@tensorflow/tfjs-core';
import { LoadError } from './errors';
import { type Manifest, sizeOf, type TensorEntry } from './manifest';

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
  if (!entry.scale) throw new Error(`dequantize: int8 tensor ${entry.name} has no scale`);
  const channels = entry.shape.at(-1) ?? 1;
  const scales = new Float32Array(shard(entry.scale.shard), entry.scale.offset, channels);
  const quantized = new Int8Array(buffer, entry.offset, size);
  const values = new Float32Array(size);
  for (let row = 0; row < size; row += channels) {
    for (let c = 0; c < channels; c += 1) values[row + c] = (quantized[row + c] ?? 0) * (scales[c] ?? 0);
  }
  return values;
}

/**
 * Tensors by name. Reading a tensor uploads it to the current backend and belongs to the caller; a shard's memory
 * is given back when its last tensor was read, so that each may be read once.
 */
export class StoredWeights {
  private readonly entries: Map<string, TensorEntry>;
  /** How many unread tensors still need each shard. */
  private readonly readers: number[];

  constructor(
    readonly manifest: Manifest,
    private readonly shards: (ArrayBuffer | null)[],
  ) {
    this.entries = new Map(manifest.tensors.map((entry) => [entry.name, entry]));
    this.readers = manifest.shards.map(() => 0);
    for (const entry of manifest.tensors) this.count(entry, 1);
  }

  has(name: string): boolean {
    return this.entries.has(name);
  }

  /** The shape of a stored tensor, or null. */
  shapeOf(name: string): readonly number[] | null {
    return this.entries.get(name)?.shape ?? null;
  }

  /**
   * @param shape what the model needs; -1 accepts any extent of that axis
   * @throws LoadError `not-a-manifest` when the tensor is missing or of another shape
   */
  readonly read = (name: string, shape: readonly number[]): tf.Tensor => {
    const entry = this.entries.get(name);
    if (!entry) throw this.misfit(`it has no tensor ${name}`);
    const fits =
      shape.length === entry.shape.length && shape.every((axis, i) => axis === -1 || axis === entry.shape[i]);
    if (!fits) {
      throw this.misfit(
        `${name} has shape [${entry.shape.join(', ')}], but the model needs [${shape.join(', ')}]`,
      );
    }
    const values = dequantize(entry, (index) => {
      const buffer = this.shards[index];
      if (!buffer) throw new Error(`StoredWeights: ${name} was read before, and its memory is given back.`);
      return buffer;
    });
    this.count(entry, -1);
    this.entries.delete(name);
    return tf.tensor(values, [...entry.shape], 'float32');
  };

  /** Gives back the memory of everything unread. */
  release(): void {
    this.shards.fill(null);
    this.entries.clear();
  }

  private count(entry: TensorEntry, change: 1 | -1): void {
    for (const range of entry.scale ? [entry, entry.scale] : [entry]) {
      const left = (this.readers[range.shard] ?? 0) + change;
      this.readers[range.shard] = left;
      if (left === 0) this.shards[range.shard] = null;
    }
  }

  private misfit(what: string): LoadError {
    const message = `The weights of ${this.manifest.name} do not fit their configuration: ${what}. Export the model again.`;
    return new LoadError('not-a-manifest', message, false);
  }
}
