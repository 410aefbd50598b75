/** Exact (erf) GELU; picks the implementation for the current backend. */
import * as tf from '@tensorflow/tfjs-core';
import { geluReference } from './reference';
import { geluOnWasm } from './wasm';

/** Any shape. */
export function gelu(x: tf.Tensor): tf.Tensor {
  return tf.getBackend() === 'wasm' ? geluOnWasm(x) : geluReference(x);
}
