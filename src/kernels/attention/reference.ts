/** Multi-head softmax attention without projections, from plain tf ops. Holds all scores: the oracle of the fast ones. */
import * as tf from '@tensorflow/tfjs-core';
import { type AttentionOptions, visibleKeys } from './visibility';

/** A score that no real one comes near; e to its power is 0 in float32. */
const HIDDEN = -1e30;

/**
 * query [B, NQ, C], key and value [B, NK, C] -> [B, NQ, C]; head h owns channels h·C/heads to (h+1)·C/heads. NK > 0.
 * What queries see is as in index.ts. `weights` [NK]: each key counts as if it were there so many times.
 */
export function attentionReference(
  query: tf.Tensor3D,
  key: tf.Tensor3D,
  value: tf.Tensor3D,
  heads: number,
  options: AttentionOptions = {},
  weights?: readonly number[],
): tf.Tensor3D {
  return tf.tidy(() => {
    const [batch, queries, width] = query.shape;
    const visible = visibleKeys(queries, key.shape[1], options);
    const keys = visible(queries - 1);
    if (keys === 0) return tf.zeros(query.shape);
    const size = width / heads;
    // [B, N, C] -> [B, heads, N, d]
    const split = (x: tf.Tensor3D): tf.Tensor4D =>
      tf.transpose(tf.reshape(x, [batch, x.shape[1], heads, size]), [0, 2, 1, 3]) as tf.Tensor4D;
    const shown = (x: tf.Tensor3D): tf.Tensor4D =>
      split(keys === x.shape[1] ? x : tf.slice(x, [0, 0, 0], [-1, keys, -1]));
    let scores = tf.matMul(split(tf.mul(query, 1 / Math.sqrt(size))), shown(key), false, true); // [B, heads, NQ, NK]
    if (weights?.some((weight) => weight !== 1)) scores = tf.add(scores, logWeights(weights, keys));
    if (options.causal) scores = tf.add(scores, hiddenScores(queries, keys, visible));
    let mixed = tf.matMul(tf.softmax(scores), shown(value)); // [B, heads, NQ, d]
    if (visible(0) === 0) mixed = tf.mul(mixed, seeing(queries, visible));
    return tf.reshape(tf.transpose(mixed, [0, 2, 1, 3]), [batch, queries, width]);
  });
}

/** [1, 1, 1, NK]. Not of one axis: WebGPU would have a program for every length. */
function logWeights(weights: readonly number[], keys: number): tf.Tensor {
  return tf.tensor(weights.slice(0, keys).map(Math.log), [1, 1, 1, keys]);
}

/** [1, 1, NQ, NK]: 0 where the query sees the key, HIDDEN elsewhere. */
function hiddenScores(queries: number, keys: number, visible: (query: number) => number): tf.Tensor {
  const hidden = new Float32Array(queries * keys);
  for (let i = 0; i < queries; i++) hidden.fill(HIDDEN, i * keys + visible(i), (i + 1) * keys);
  return tf.tensor(hidden, [1, 1, queries, keys]);
}

/** [1, 1, NQ, 1]: 1 for queries that see a key, 0 for the others. */
function seeing(queries: number, visible: (query: number) => number): tf.Tensor {
  const flags = Float32Array.from({ length: queries }, (_, i) => (visible(i) > 0 ? 1 : 0));
  return tf.tensor(flags, [1, 1, queries, 1]);
}
