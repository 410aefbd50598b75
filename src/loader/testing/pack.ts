/**
 * Packs named float arrays into a manifest and its shards, as the exporter of the recipe does. For tests and tiny
 * models only.
 */
import { createHash } from 'node:crypto';
import type { ModelConfig } from '../../config/model';
import { MANIFEST_FORMAT, MANIFEST_VERSION, type StoredDtype } from '../manifest';

export interface PlainTensor {
  readonly name: string;
  readonly shape: readonly number[];
  readonly values: Float32Array;
  readonly dtype: StoredDtype;
}

export interface PackedModel {
  readonly manifest: string;
  /** Bytes by file name. */
  readonly files: ReadonlyMap<string, Uint8Array<ArrayBuffer>>;
}

export interface PackOptions {
  readonly name: string;
  readonly model: ModelConfig;
  readonly shardBytes?: number;
  /** Changes the manifest before it is hashed, to make broken ones. */
  readonly edit?: (manifest: Record<string, unknown>) => void;
}

/** Rows of int4 that share a scale: few, so that small tensors have several groups. */
const GROUP = 4;

export const digest = (bytes: Uint8Array | string): string =>
  createHash('sha256').update(bytes).digest('hex');

export function packModel(tensors: readonly PlainTensor[], options: PackOptions): PackedModel {
  const shardBytes = options.shardBytes ?? 4 * 1024 * 1024;
  const shards: Uint8Array[][] = [[]];
  const lengths = [0];
  /** Puts bytes, padded to a multiple of 4, at the end of the newest shard, or begins another. */
  const place = (bytes: Uint8Array) => {
    const padded = new Uint8Array(4 * Math.ceil(bytes.length / 4));
    padded.set(bytes);
    if ((lengths.at(-1) ?? 0) + padded.length > shardBytes && (lengths.at(-1) ?? 0) > 0) {
      shards.push([]);
      lengths.push(0);
    }
    const shard = shards.length - 1;
    const offset = lengths[shard] ?? 0;
    shards[shard]?.push(padded);
    lengths[shard] = offset + padded.length;
    return { shard, offset };
  };
  const entries = tensors.map(({ name, shape, values, dtype }) => {
    if (dtype === 'int4') {
      const { words, scales } = quantizeToNibbles(values, shape.at(-1) ?? 1, GROUP);
      const range = place(bytesOfArray(words));
      return { name, shape, dtype, group: GROUP, ...range, scale: place(bytesOfArray(scales)) };
    }
    if (dtype === 'int8') {
      const { quantized, scales } = quantize(values, shape.at(-1) ?? 1);
      const range = place(bytesOfArray(quantized));
      return { name, shape, dtype, ...range, scale: place(bytesOfArray(scales)) };
    }
    const stored = dtype === 'float16' ? Uint16Array.from(values, floatToHalf) : values;
    return { name, shape, dtype, ...place(bytesOfArray(stored)) };
  });
  const files = new Map(shards.map((parts, i) => [`shard-${i}.bin`, Uint8Array.from(Buffer.concat(parts))]));
  const zeros = '0'.repeat(64);
  const manifest: Record<string, unknown> = {
    format: MANIFEST_FORMAT,
    version: MANIFEST_VERSION,
    name: options.name,
    license: 'MIT',
    parameters: tensors.reduce((sum, { values }) => sum + values.length, 0),
    model: options.model,
    tensors: entries,
    shards: [...files].map(([file, bytes]) => ({ file, bytes: bytes.length, sha256: digest(bytes) })),
    sha256: zeros,
  };
  options.edit?.(manifest);
  const text = `${JSON.stringify(manifest, null, 1)}\n`;
  return { manifest: text.replace(zeros, digest(text)), files };
}

function bytesOfArray(array: Float32Array | Uint16Array | Int8Array | Uint32Array): Uint8Array {
  return new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
}

/** Per output channel, the last axis: scale = max |w| / 127. */
function quantize(values: Float32Array, channels: number): { quantized: Int8Array; scales: Float32Array } {
  const scales = new Float32Array(channels);
  values.forEach((value, i) => {
    scales[i % channels] = Math.max(scales[i % channels] ?? 0, Math.abs(value) / 127);
  });
  const quantized = Int8Array.from(values, (value, i) => Math.round(value / (scales[i % channels] || 1)));
  return { quantized, scales };
}

/** Per group of rows and output channel: scale = max |w| / 7. Eight to a word along the last axis, rows padded. */
function quantizeToNibbles(
  values: Float32Array,
  columns: number,
  group: number,
): { words: Uint32Array; scales: Float32Array } {
  const rows = values.length / columns;
  const wordsPerRow = Math.ceil(columns / 8);
  const words = new Uint32Array(rows * wordsPerRow);
  const scales = new Float32Array(Math.ceil(rows / group) * columns);
  const scaleAt = (i: number): number =>
    Math.floor(Math.floor(i / columns) / group) * columns + (i % columns);
  values.forEach((value, i) => {
    scales[scaleAt(i)] = Math.max(scales[scaleAt(i)] ?? 0, Math.abs(value) / 7);
  });
  values.forEach((value, i) => {
    const [row, column] = [Math.floor(i / columns), i % columns];
    const nibble = Math.round(value / (scales[scaleAt(i)] || 1)) & 15;
    const word = row * wordsPerRow + (column >> 3);
    words[word] = (words[word] ?? 0) | (nibble << (4 * (column & 7)));
  });
  return { words, scales };
}

/** To the nearest half, for values in the range of halves. */
export function floatToHalf(value: number): number {
  const sign = Object.is(Math.sign(value), -0) || value < 0 ? 0x8000 : 0;
  const size = Math.abs(value);
  if (size < 2 ** -14) return sign | Math.round(size * 2 ** 24);
  const exponent = Math.floor(Math.log2(size));
  const fraction = Math.round((size / 2 ** exponent - 1) * 1024);
  // A fraction that rounds up to 1024 carries into the exponent, as it should.
  return sign | (((exponent + 15) << 10) + fraction);
}
