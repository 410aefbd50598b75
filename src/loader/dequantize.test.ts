import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, it } from 'vitest';
import { dequantize, halfToFloat, StoredWeights } from './dequantize';
import { parseManifest } from './manifest';
import { INT4_TENSOR, SMALL_MODEL, SMALL_TENSORS } from './testing/models';
import { floatToHalf, packModel } from './testing/pack';

beforeAll(() => tf.setBackend('cpu'));

async function stored(shardBytes?: number, tensors = SMALL_TENSORS): Promise<StoredWeights> {
  const options = { name: 'small', model: SMALL_MODEL, ...(shardBytes ? { shardBytes } : {}) };
  const packed = packModel(tensors, options);
  const manifest = await parseManifest(packed.manifest, 'test');
  return new StoredWeights(
    manifest,
    [...packed.files.values()].map((bytes) => bytes.buffer),
  );
}

/** Reads, copies and frees. */
function values(weights: StoredWeights, name: string, shape: number[]): Float32Array {
  const tensor = weights.tensor(name, shape);
  const data = tensor.dataSync<'float32'>().slice();
  tensor.dispose();
  return data;
}

describe('halfToFloat', () => {
  it('inverts rounding to half for every finite half', () => {
    const halves = Array.from({ length: 0x10000 }, (_, half) => half);
    const finite = halves.filter((half) => Number.isFinite(halfToFloat(half)));
    expect(finite).toHaveLength(2 * 0x7c00);
    expect(finite.filter((half) => floatToHalf(halfToFloat(half)) !== half)).toEqual([]);
  });

  it.each([
    [0x3c00, 1],
    [0xc000, -2],
    [0x7bff, 65504],
    [0x0001, 2 ** -24],
    [0x03ff, 1023 * 2 ** -24],
    [0x7c00, Number.POSITIVE_INFINITY],
    [0xfc00, Number.NEGATIVE_INFINITY],
  ])('%i is %d', (half, value) => expect(halfToFloat(half)).toBe(value));

  it('keeps NaN', () => expect(halfToFloat(0x7e00)).toBeNaN());
});

describe('StoredWeights', () => {
  it('gives float32 exactly, float16 as rounded, int8 within half a step of its channel', async () => {
    const weights = await stored();
    expect(values(weights, 'a.float', [2, 3])).toEqual(SMALL_TENSORS[0]?.values);
    expect([...values(weights, 'b.half', [5])]).toEqual([0, -0.5, 1.25, 65504, 2 ** -24]);
    const original = SMALL_TENSORS[2]?.values ?? new Float32Array();
    const back = values(weights, 'c.byte', [3, 3]);
    original.forEach((value, i) => {
      const column = [0, 3, 6].map((row) => Math.abs(original[row + (i % 3)] ?? 0));
      expect(Math.abs((back[i] ?? 0) - value)).toBeLessThanOrEqual(Math.max(...column) / 254 + 1e-7);
    });
  });

  it('gives int4 within half a step of its group and channel, and its signs', async () => {
    const original = INT4_TENSOR.values;
    const back = values(await stored(undefined, [INT4_TENSOR]), 'e.nibble', [5, 9]);
    original.forEach((value, i) => {
      const group = i < 36 ? [0, 1, 2, 3] : [4];
      const peers = group.map((row) => Math.abs(original[9 * row + (i % 9)] ?? 0));
      expect(Math.abs((back[i] ?? Number.NaN) - value)).toBeLessThanOrEqual(Math.max(...peers) / 14 + 1e-6);
    });
  });

  it('reads nibbles from the lowest bits up, as two complement, with a scale per group and column', () => {
    const words = Int32Array.of(0x7654_3210, 0x0000_000f, 0xfedc_ba98 | 0, 0x0000_0008); // rows 0 and 1 of 9 columns
    const rows = Int32Array.of(...words, ...words, ...words).subarray(0, 10); // 5 rows: the second group has one
    const scales = Float32Array.from({ length: 18 }, (_, i) => (i < 9 ? 1 : 0.5 * (i - 8)));
    const shards = [rows.slice().buffer, scales.buffer];
    const entry = {
      name: 'q',
      shape: [5, 9],
      dtype: 'int4',
      group: 4,
      shard: 0,
      offset: 0,
      scale: { shard: 1, offset: 0 },
    } as const;
    const got = [...dequantize(entry, (i) => shards[i] as ArrayBuffer)];
    const [even, odd] = [
      [0, 1, 2, 3, 4, 5, 6, 7, -1],
      [-8, -7, -6, -5, -4, -3, -2, -1, -8],
    ];
    expect(got).toEqual([...even, ...odd, ...even, ...odd, ...even.map((q, c) => q * 0.5 * (c + 1))]);
  });

  it('accepts any extent where the model asks for -1, and refuses another shape', async () => {
    const weights = await stored();
    expect(values(weights, 'a.float', [-1, 3])).toHaveLength(6);
    expect(() => weights.tensor('a.float', [3, 2])).toThrow(
      'a.float has shape [2, 3], but the model needs [3, 2]',
    );
    expect(() => weights.tensor('a.float', [6])).toThrow('needs [6]');
    expect(() => weights.tensor('nothing', [1])).toThrow('no tensor nothing');
  });

  it('gives a shard back after its last tensor, and not before', async () => {
    const weights = await stored(36); // a and b | c and its scale | d
    values(weights, 'a.float', [2, 3]);
    values(weights, 'c.byte', [3, 3]);
    values(weights, 'c.byte', [3, 3]); // The newest may be read again.
    values(weights, 'a.float', [2, 3]); // b is unread, so that their shard is still there.
    expect(() => weights.tensor('c.byte', [3, 3])).toThrow('memory was given back');
    values(weights, 'b.half', [5]);
    values(weights, 'd.float', [7]);
    expect(() => weights.tensor('a.float', [2, 3])).toThrow('memory was given back');
  });
});
