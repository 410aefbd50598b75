/**
 * Exact GELU on the wasm backend in one pass. erf is a rational function of odd degree 13 over 8, as in Eigen's
 * float32 erf (error under 2e-7), clamped where float32's erf is 1: no exponential is needed.
 */
import type * as tf from '@tensorflow/tfjs-core';
import { runOnHeap } from '../heap';

/** Beyond this float32's erf is ±1 (to 2e-8). */
const CLAMP = 4;

/** Any shape. */
export function geluOnWasm(x: tf.Tensor): tf.Tensor {
  return runOnHeap([x], x.shape, (heap, output, input) => {
    const size = x.size;
    for (let i = 0; i < size; i++) {
      const value = heap[input + i] ?? 0;
      let z = value * Math.SQRT1_2;
      if (z > CLAMP) z = CLAMP;
      else if (z < -CLAMP) z = -CLAMP;
      const s = z * z;
      let p = -2.72614225801306e-10;
      p = p * s + 2.77068142495902e-8;
      p = p * s - 2.10102402082508e-6;
      p = p * s - 5.69250639462346e-5;
      p = p * s - 7.34990630326855e-4;
      p = p * s - 2.954599808540254e-3;
      p = p * s - 1.60960333262415e-2;
      let q = -1.45660718464996e-5;
      q = q * s - 2.13374055278905e-4;
      q = q * s - 1.68282697438203e-3;
      q = q * s - 7.37332916720468e-3;
      q = q * s - 1.42647390514189e-2;
      heap[output + i] = 0.5 * value * (1 + (z * p) / q);
    }
  });
}
