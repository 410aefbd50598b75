// Guidance of hidden states against its formula, at once and in pieces. On logits: transformer.test.ts.
import * as tf from '@tensorflow/tfjs-core';
import { expect, it } from 'vitest';
import { onEachBackend } from '../kernels/testing/parity';
import { guideTargets } from './guidance';
import { rowsAtOnce } from './rowPieces';

const WIDTH = 16;
const WEIGHT = 0.7;

onEachBackend('guideTargets', () => {
  it.each([
    { batch: 2, targets: 12, count: 20 },
    { batch: 2, targets: 17_000, count: 20_000 },
  ])('is h + w (h − h₀) of the targets’ positions: %o', async ({ batch, targets, count }) => {
    const inPieces = targets > rowsAtOnce(WIDTH, targets, batch).attention;
    expect(inPieces).toBe(targets > 12);
    const before = tf.memory().numTensors;
    const target = Int32Array.from({ length: batch * targets }, (_, i) => (i * 7 + 3) % count);
    const unknowing = tf.randomNormal<tf.Rank.R2>([count, WIDTH], 0, 1, 'float32', 1);
    const hidden = tf.randomNormal<tf.Rank.R3>([batch, targets, WIDTH], 0, 1, 'float32', 2);
    const [h, h0] = [(await hidden.data()).slice(), await unknowing.data()];
    const guided = guideTargets(hidden, { unknowing, weight: WEIGHT }, target);
    expect(guided.shape).toEqual([batch, targets, WIDTH]);
    const got = await guided.data();
    let largest = 0;
    for (const [row, position] of target.entries()) {
      for (let c = 0; c < WIDTH; c++) {
        const own = h[row * WIDTH + c] ?? Number.NaN;
        const expected = own + WEIGHT * (own - (h0[position * WIDTH + c] ?? Number.NaN));
        largest = Math.max(largest, Math.abs((got[row * WIDTH + c] ?? Number.NaN) - expected));
      }
    }
    expect(largest).toBeLessThan(1e-5);
    tf.dispose([guided, unknowing]);
    expect(tf.memory().numTensors).toBe(before);
  });
});
