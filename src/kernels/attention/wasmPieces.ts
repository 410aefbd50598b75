/**
 * Attention on the wasm backend to keys that come piece by piece: each piece's result is a mean of its values, and the
 * means are put together weighted by the pieces' sums of e^score.
 */
import * as tf from '@tensorflow/tfjs-core';
import { changeOnHeap } from '../heap';
import type { KeyPiece } from './pieces';
import { allocateMixed, type Head, headsOf, takeHead, takeQuery } from './wasmHeads';

/** Scores held at once: 4 MiB, as in wasm.ts. */
const SCORES_AT_ONCE = 1 << 20;

/** query [B, NQ, C] -> [B, NQ, C]. */
export function attentionInPiecesOnWasm(
  query: tf.Tensor3D,
  pieces: readonly KeyPiece[],
  heads: number,
): tf.Tensor3D {
  const [batch, queries] = query.shape;
  return tf.tidy(() => {
    const mixed = allocateMixed(query.shape);
    /** ln Σ e^score over the pieces so far, of each sample, head and query. */
    const sums = new Float64Array(batch * heads * queries).fill(Number.NEGATIVE_INFINITY);
    for (const { count: keys, weight = 1, make } of pieces) {
      const atOnce = Math.max(1, Math.floor(SCORES_AT_ONCE / keys));
      tf.tidy(() => {
        const { key, value } = make();
        for (const head of headsOf(batch, heads)) {
          tf.tidy(() => {
            const columns = tf.transpose(takeHead(key, heads, head, 0, keys)) as tf.Tensor2D; // [d, n]
            const values = takeHead(value, heads, head, 0, keys); // [n, d]
            for (let first = 0; first < queries; first += atOnce) {
              tf.tidy(() => {
                const count = Math.min(atOnce, queries - first);
                const scores = tf.matMul(takeQuery(query, heads, head, first, count), columns); // [m, n]
                const shares = tf.softmax(scores);
                const means = tf.matMul(shares, values); // [m, d]
                const from = (head.sample * heads + head.head) * queries + first;
                const found = { scores, shares, means, weight };
                merge(mixed, head, first, found, sums.subarray(from, from + count));
              });
            }
          });
        }
      });
    }
    return mixed;
  });
}

/** What queries found in a piece, whose keys count `weight` times: scores and shares [m, n], means of the values [m, d]. */
interface Found {
  readonly scores: tf.Tensor;
  readonly shares: tf.Tensor;
  readonly means: tf.Tensor;
  readonly weight: number;
}

/** Moves mixed[sample, first … first + m, head] towards the piece's means, and adds its sums to `sums`. */
function merge(
  mixed: tf.Tensor3D,
  { sample, head }: Head,
  first: number,
  { scores, shares, means, weight }: Found,
  sums: Float64Array,
): void {
  const [, queries, width] = mixed.shape;
  const [count = 0, keys = 0] = scores.shape;
  const size = means.size / count;
  changeOnHeap([mixed, scores, shares, means], (heap, output, score = 0, share = 0, mean = 0) => {
    for (let n = 0; n < count; n++) {
      const sum = logSum(heap, score + n * keys, share + n * keys, keys) + Math.log(weight);
      const before = sums[n] ?? Number.NEGATIVE_INFINITY;
      const high = Math.max(before, sum);
      const after = high + Math.log(Math.exp(before - high) + Math.exp(sum - high));
      sums[n] = after;
      const [keep, add] = [Math.exp(before - after), Math.exp(sum - after)];
      const target = output + (sample * queries + first + n) * width + head * size;
      for (let c = 0; c < size; c++) {
        heap[target + c] = keep * (heap[target + c] ?? 0) + add * (heap[mean + n * size + c] ?? 0);
      }
    }
  });
}

/**
 * ln Σ e^score of a row, from its softmax: ln of a share is its score less that sum. Any key will do whose share is not
 * tiny, and one of n shares is at least 1/n.
 */
function logSum(heap: Float32Array, score: number, share: number, keys: number): number {
  const least = 0.5 / keys;
  let k = 0;
  while (k < keys - 1 && !((heap[share + k] ?? 0) >= least)) k++;
  return (heap[score + k] ?? 0) - Math.log(heap[share + k] ?? 0);
}
