/** Stored matrices on their way to kernels: packed on WebGPU, float32 elsewhere, the same values in any case. */
import * as tf from '@tensorflow/tfjs-core';
import { describe, expect, it } from 'vitest';
import { linear } from '../kernels/linear';
import type { Matrix } from '../kernels/matrix';
import { switchBackend } from '../kernels/testing/backends';
import { onEachBackend } from '../kernels/testing/parity';
import { StoredWeights } from './dequantize';
import { parseManifest, type StoredDtype } from './manifest';
import { SMALL_MODEL } from './testing/models';
import { packModel } from './testing/pack';

/** Rows that fill their words, and rows that do not; groups of 4, of which the last is short. */
const SHAPES = [
  [8, 16],
  [6, 7],
] as const;

async function stored(dtype: StoredDtype, shape: readonly [number, number]): Promise<StoredWeights> {
  const values = Float32Array.from({ length: shape[0] * shape[1] }, (_, i) => Math.sin(i) * (1 + i / 50));
  const packed = packModel([{ name: 'w', shape, values, dtype }], { name: 'one', model: SMALL_MODEL });
  const manifest = await parseManifest(packed.manifest, 'test');
  return new StoredWeights(
    manifest,
    [...packed.files.values()].map((bytes) => bytes.buffer),
  );
}

/** The matrix as rows: the linear layer of the identity. */
async function rowsOf(matrix: Matrix): Promise<Float32Array> {
  const rows = tf.tidy(() => linear(tf.eye(matrix.shape[0]), { weight: matrix }));
  const values = await rows.data<'float32'>();
  tf.dispose([rows, matrix] as unknown as tf.TensorContainer);
  return values;
}

onEachBackend('StoredWeights.matrix', (backend) => {
  it.each(
    SHAPES.flatMap((shape) => (['int4', 'int8', 'float16'] as const).map((dtype) => [dtype, shape] as const)),
  )('of %s %j has the values of its tensor', async (dtype, shape) => {
    await switchBackend('cpu');
    const expected = await (await stored(dtype, shape)).tensor('w', shape).data();
    await switchBackend(backend);
    const before = tf.memory().numTensors;
    const matrix = (await stored(dtype, shape)).matrix('w', shape);
    expect('words' in matrix).toBe(backend === 'webgpu' && dtype !== 'float16');
    expect(await rowsOf(matrix)).toEqual(expected);
    expect(tf.memory().numTensors).toBe(before);
  });
});

describe('StoredWeights.matrix', () => {
  it('refuses another shape than the model needs', async () => {
    const weights = await stored('int8', [6, 7]);
    expect(() => weights.matrix('w', [7, 6])).toThrow('w has shape [6, 7], but the model needs [7, 6]');
  });
});
