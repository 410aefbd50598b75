/** Multi-head attention; picks the implementation for the current backend and settles the empty key set. */
import * as tf from '@tensorflow/tfjs-core';
import { attentionReference } from './reference';
import type { AttentionOptions } from './visibility';
import { attentionOnWasm } from './wasm';
import { attentionOnWebGpu } from './webgpu';

export type { AttentionOptions } from './visibility';

/**
 * query [B, NQ, C], key and value [B, NK, C] -> [B, NQ, C], scale 1/√(C/heads). Of the keys, the first `keyCount` are
 * seen by every query, or, when `causal`, keys 0 … keyCount - NQ + i by query i.
 * A query that sees no key has nothing to attend to and its result is zero, as in the official models.
 * On WebGPU heads of 16, 20, … 128 channels have a kernel; others take the reference, which holds all scores.
 * Throws unless C is a multiple of `heads` and keyCount a whole number from 0 to NK.
 */
export function attention(
  query: tf.Tensor3D,
  key: tf.Tensor3D,
  value: tf.Tensor3D,
  heads: number,
  options: AttentionOptions = {},
): tf.Tensor3D {
  const width = query.shape[2];
  const keys = key.shape[1];
  const { keyCount = keys } = options;
  if (width % heads !== 0) {
    throw new RangeError(`attention: width ${width} does not divide into ${heads} heads.`);
  }
  if (!Number.isInteger(keyCount) || keyCount < 0 || keyCount > keys) {
    throw new RangeError(
      `attention: keyCount must be a whole number from 0 to the ${keys} keys given, got ${keyCount}.`,
    );
  }
  if (keyCount === 0 || query.shape[1] === 0) return tf.zeros(query.shape);
  switch (tf.getBackend()) {
    case 'wasm':
      return attentionOnWasm(query, key, value, heads, options);
    case 'webgpu': {
      const served = attentionOnWebGpu(query, key, value, heads, options);
      return served ?? attentionReference(query, key, value, heads, options);
    }
    default:
      return attentionReference(query, key, value, heads, options);
  }
}
