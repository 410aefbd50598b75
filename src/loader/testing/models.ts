/** A model configuration and tensors small enough to read in a failing test. */
import type { ModelConfig } from '../../config/model';
import type { PlainTensor } from './pack';

export const SMALL_MODEL: ModelConfig = {
  transformer: {
    width: 4,
    heads: 2,
    latentTokens: 2,
    vocabulary: 6,
    positions: 8,
    modes: ['latent_enc', 'latent_dec'],
  },
  tokenizer: {
    codes: 6,
    codeWidth: 4,
    norm: 'affine',
    decoder: [{ channels: 4, stride: [2, 2, 2], residualBlocks: 0 }],
  },
  grid: [2, 2, 2],
  frameRate: 16,
  sampling: { choiceTemperature: 8, schedule: 'cosine' },
};

const ramp = (count: number, step: number) =>
  Float32Array.from({ length: count }, (_, i) => (i - count / 3) * step);

export const SMALL_TENSORS: readonly PlainTensor[] = [
  { name: 'a.float', shape: [2, 3], values: ramp(6, 0.37), dtype: 'float32' },
  { name: 'b.half', shape: [5], values: Float32Array.of(0, -0.5, 1.25, 65504, 6e-8), dtype: 'float16' },
  { name: 'c.byte', shape: [3, 3], values: ramp(9, 0.21), dtype: 'int8' },
  { name: 'd.float', shape: [7], values: ramp(7, 1), dtype: 'float32' },
];

/** Two groups of rows, the second shorter, and rows that do not fill their last word. */
export const INT4_TENSOR: PlainTensor = {
  name: 'e.nibble',
  shape: [5, 9],
  values: ramp(45, 0.13),
  dtype: 'int4',
};
