/** Linear layers on WebGPU: a convolution with one tap over one long row, with bias, GELU and residual fused. */
import type * as tf from '@tensorflow/tfjs-core';
import { implicitMatmul } from '../implicitMatmul';
import type { LinearOptions, LinearWeights } from './index';

const ONE = [1, 1, 1] as const;
const NO_PADDING = [0, 0] as const;

/** x [..., I] -> [..., O]. */
export function linearOnWebGpu(
  x: tf.Tensor,
  { weight, bias }: LinearWeights,
  { activation, residual }: LinearOptions,
): tf.Tensor {
  const [inputs, outputs] = weight.shape;
  const extent = [1, 1, x.size / inputs] as const;
  return implicitMatmul(
    {
      batch: 1,
      input: extent,
      output: extent,
      kernel: ONE,
      stride: ONE,
      paddings: [NO_PADDING, NO_PADDING, NO_PADDING],
      inputs,
      outputs,
      transposed: false,
    },
    { x, weight, bias, gelu: activation === 'gelu', residual },
    [...x.shape.slice(0, -1), outputs],
  );
}
