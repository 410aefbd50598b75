/**
 * Guidance: what the known tokens say is stressed. Logits become l + w (l − l₀), l₀ being those where no token of the clip is
 * known, as classifier-free guidance does with a condition (Ho & Salimans 2022). The head is linear and has no bias, so that
 * the same is done before it, to hidden states, which are narrower: h + w (h − h₀).
 * Letters: B batch, N tokens, NT target, C width.
 */
import * as tf from '@tensorflow/tfjs-core';
import { embedding } from '../kernels/embedding';
import { sliceRows } from '../kernels/sliceRows';
import { writeRows } from '../kernels/writeRows';
import { piecesOf, rowsAtOnce } from './rowPieces';

export interface Guide {
  /** h₀ [N, C] (transformer.ts, runUnknowing). */
  readonly unknowing: tf.Tensor2D;
  /** w, above 0. */
  readonly weight: number;
}

/**
 * The guided hidden states of the positions `target` [B, NT], in the place of `hidden` [B, NT, C], which is overwritten or
 * disposed.
 */
export function guideTargets(
  hidden: tf.Tensor3D,
  { unknowing, weight }: Guide,
  target: Int32Array,
): tf.Tensor3D {
  const [batch, targets, width] = hidden.shape;
  const guide = (rows: tf.Tensor3D, first: number): tf.Tensor3D =>
    tf.tidy(() => {
      const places = sliceOfEach(target, batch, first, rows.shape[1]);
      const there = tf.reshape(embedding(unknowing, places), rows.shape);
      return tf.sub(tf.mul(rows, 1 + weight), tf.mul(there, weight));
    });
  const most = rowsAtOnce(width, targets, batch).attention;
  if (targets <= most) {
    const guided = guide(hidden, 0);
    hidden.dispose();
    return guided;
  }
  for (const [first, count] of piecesOf(targets, most)) {
    tf.tidy(() => writeRows(hidden, guide(sliceRows(hidden, first, count), first), first));
  }
  return hidden;
}

/** Of the row of every sample [B, n] the same part, [B, count]. */
function sliceOfEach(rows: Int32Array, batch: number, first: number, count: number): Int32Array {
  const length = rows.length / batch;
  const parts = new Int32Array(batch * count);
  for (let sample = 0; sample < batch; sample++) {
    const start = sample * length + first;
    parts.set(rows.subarray(start, start + count), sample * count);
  }
  return parts;
}
