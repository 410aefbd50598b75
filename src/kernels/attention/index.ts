/** Multi-head attention; picks the implementation for the current backend and settles the empty key set. */
import * as tf from '@tensorflow/tfjs-core';
import { attentionReference } from './reference';
import { attentionOnWasm } from './wasm';

/**
 * query [B, NQ, C], key and value [B, NK, C] -> [B, NQ, C], no mask, scale 1/√(C/heads).
 * With no keys there is nothing to attend to and the result is zero, as in the official models.
 * Throws unless C is a multiple of `heads`.
 */
export function attention(
  query: tf.Tensor3D,
  key: tf.Tensor3D,
  value: tf.Tensor3D,
  heads: number,
): tf.Tensor3D {
  const width = query.shape[2];
  if (width % heads !== 0) {
    throw new RangeError(`attention: width ${width} does not divide into ${heads} heads.`);
  }
  if (key.shape[1] === 0 || query.shape[1] === 0) return tf.zeros(query.shape);
  const run = tf.getBackend() === 'wasm' ? attentionOnWasm : attentionReference;
  return run(query, key, value, heads);
}
