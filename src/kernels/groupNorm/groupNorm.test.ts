import * as tf from '@tensorflow/tfjs-core';
import { expect, it } from 'vitest';
import { onEachBackend, tensorOf, values } from '../testing/parity';
import { GROUP_NORM_EPSILON, groupNorm } from './index';

const SHAPE = [2, 2, 3, 2, 8] as const;
const GROUPS = 4;

/** Group by group in float64. */
function expected(x: Float32Array, scale: Float32Array, bias: Float32Array): Float64Array {
  const [batch, t, h, w, channels] = SHAPE;
  const positions = t * h * w;
  const size = channels / GROUPS;
  const y = new Float64Array(x.length);
  for (let b = 0; b < batch; b++) {
    for (let g = 0; g < GROUPS; g++) {
      const at = Array.from({ length: positions * size }, (_, i) => {
        return (b * positions + Math.floor(i / size)) * channels + g * size + (i % size);
      });
      const mean = at.reduce((sum, i) => sum + (x[i] ?? 0), 0) / at.length;
      const variance = at.reduce((sum, i) => sum + ((x[i] ?? 0) - mean) ** 2, 0) / at.length;
      for (const i of at) {
        const normal = ((x[i] ?? 0) - mean) / Math.sqrt(variance + GROUP_NORM_EPSILON);
        y[i] = normal * (scale[i % channels] ?? 0) + (bias[i % channels] ?? 0);
      }
    }
  }
  return y;
}

onEachBackend('groupNorm', () => {
  it('normalises each sample and group over the whole clip', async () => {
    const [x, scale, bias] = [values(SHAPE, 1, 5), values([8], 2), values([8], 3)] as const;
    const y = tf.tidy(() => groupNorm(tensorOf(x), tensorOf(scale), tensorOf(bias), GROUPS));
    const want = expected(x.data, scale.data, bias.data);
    const got = await y.data();
    expect(y.shape).toEqual(SHAPE);
    expect(want.reduce((d, v, i) => Math.max(d, Math.abs(v - (got[i] ?? Number.NaN))), 0)).toBeLessThan(2e-6);
    y.dispose();
  });

  it('refuses channels that its groups do not divide', () => {
    tf.tidy(() => {
      const x = tf.zeros([1, 1, 1, 1, 8]) as tf.Tensor5D;
      expect(() => groupNorm(x, tf.ones([8]), tf.ones([8]))).toThrow(
        '8 channels do not divide into 32 groups',
      );
    });
  });
});
