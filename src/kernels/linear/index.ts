/** y = x W + b with optional erf-GELU and residual; picks the implementation for the current backend. */
import * as tf from '@tensorflow/tfjs-core';
import { gelu } from '../gelu';
import { type Matrix, toFloat32 } from '../matrix';
import { linearReference } from './reference';
import { linearOnWebGpu } from './webgpu';

export interface LinearWeights {
  /** [I, O] */
  readonly weight: Matrix;
  /** [O] */
  readonly bias?: tf.Tensor1D;
}

export interface LinearOptions {
  /** Applied to x W + b. */
  readonly activation?: 'gelu';
  /** Added last; the shape of the result. */
  readonly residual?: tf.Tensor;
}

/** x [..., I] -> [..., O]. */
export function linear(x: tf.Tensor, weights: LinearWeights, options: LinearOptions = {}): tf.Tensor {
  if (x.size === 0) return tf.zeros([...x.shape.slice(0, -1), weights.weight.shape[1]]);
  switch (tf.getBackend()) {
    case 'wasm':
      return linearOnWasm(x, weights, options);
    case 'webgpu':
      return linearOnWebGpu(x, weights, options);
    default:
      return linearReference(x, weights, options);
  }
}

/** XNNPACK's product takes the bias along. */
function linearOnWasm(x: tf.Tensor, { weight, bias }: LinearWeights, options: LinearOptions): tf.Tensor {
  return tf.tidy(() => {
    const [inputs, outputs] = weight.shape;
    const a = tf.reshape(x, [-1, inputs]) as tf.Tensor2D; // [P, I]
    const b = toFloat32(weight);
    let y: tf.Tensor = bias ? tf.fused.matMul({ a, b, bias }) : tf.matMul(a, b); // [P, O]
    if (options.activation === 'gelu') y = gelu(y);
    y = tf.reshape(y, [...x.shape.slice(0, -1), outputs]);
    return options.residual ? tf.add(y, options.residual) : y;
  });
}
