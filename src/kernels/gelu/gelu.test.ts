import * as tf from '@tensorflow/tfjs-core';
import { expect, it } from 'vitest';
import { linear } from '../linear';
import { onEachBackend } from '../testing/parity';
import { gelu } from './index';

/** erf by its power series, in float64; good to 1e-13 for |x| < 4. */
function erf(x: number): number {
  let term = x;
  let sum = x;
  for (let n = 1; n < 120; n++) {
    term *= -(x * x) / n;
    sum += term / (2 * n + 1);
  }
  return (2 / Math.sqrt(Math.PI)) * sum;
}

const POINTS = Float32Array.from({ length: 1101 }, (_, i) => (i - 550) / 100);
const EXACT = Float64Array.from(POINTS, (x) => (x / 2) * (1 + erf(x * Math.SQRT1_2)));

onEachBackend('gelu', () => {
  it('is the erf form, not the tanh approximation (5e-4 off)', async () => {
    const result = tf.tidy(() => gelu(tf.tensor1d(POINTS)));
    expect(worst(await result.data(), EXACT)).toBeLessThan(2e-6);
    result.dispose();
  });

  it('is the same when fused into a linear layer', async () => {
    const result = tf.tidy(() =>
      linear(
        tf.tensor2d(POINTS, [POINTS.length, 1]),
        { weight: tf.ones([1, 1]) as tf.Tensor2D },
        { activation: 'gelu' },
      ),
    );
    expect(worst(await result.data(), EXACT)).toBeLessThan(2e-6);
    result.dispose();
  });

  it('passes large values on and stops very negative ones', async () => {
    const result = tf.tidy(() => gelu(tf.tensor1d([-1e4, -30, 30, 1e4])));
    const [a, b, c, d] = await result.data();
    expect([Math.abs(a ?? 1), Math.abs(b ?? 1), c, d]).toEqual([0, expect.closeTo(0, 6), 30, 1e4]);
    result.dispose();
  });
});

function worst(got: ArrayLike<number>, expected: Float64Array): number {
  return expected.reduce((d, x, i) => Math.max(d, Math.abs(x - (got[i] ?? Number.NaN))), 0);
}
