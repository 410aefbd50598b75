/** Linear layers on WebGPU: one program, with bias, GELU and residual fused and packed weights dequantized on the way. */
import type * as tf from '@tensorflow/tfjs-core';
import { gpuTraits, int, runOnGpu } from '../gpu';
import { isPacked } from '../matrix';
import { storageOf, tensorsOf } from '../matrix/wgsl';
import type { LinearOptions, LinearWeights } from './index';
import type { LinearVariant } from './shader';
import { chooseTiling, makeProgram, type Tiling } from './tiling';

/** x [..., I] -> [..., O]. `tiling` is chosen by shape and adapter when left out; tests go through all of them. */
export function linearOnWebGpu(
  x: tf.Tensor,
  { weight, bias }: LinearWeights,
  { activation, residual }: LinearOptions,
  tiling?: Tiling,
): tf.Tensor {
  const [inputs, outputs] = weight.shape;
  const rows = x.size / inputs;
  const variant: LinearVariant = {
    storage: storageOf(weight),
    inputsByFour: inputs % 4 === 0,
    outputsByFour: outputs % 4 === 0,
    bias: bias !== undefined,
    gelu: activation === 'gelu',
    residual: residual !== undefined,
  };
  return runOnGpu(
    makeProgram(tiling ?? chooseTiling(rows, outputs, gpuTraits()), variant, [rows, outputs]),
    [x, ...tensorsOf(weight), ...(bias ? [bias] : []), ...(residual ? [residual] : [])],
    [...x.shape.slice(0, -1), outputs],
    [rows, inputs, outputs, isPacked(weight) ? weight.group : inputs].map(int),
    2 * rows * inputs * outputs,
  );
}
