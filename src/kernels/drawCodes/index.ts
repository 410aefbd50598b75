/**
 * Drawing codes from logits on a GPU, so that only codes and probabilities come back. WebGPU only: elsewhere logits are
 * in this thread's reach, and src/sampling/filtering.ts, the reference of this kernel, draws from them.
 */
import * as tf from '@tensorflow/tfjs-core';
import { float, int, writeOnGpu } from '../gpu';
import { COUNTERS_PER_POSITION } from './noise';
import { DrawCodesProgram } from './program';

export interface DrawSettings {
  /** Multiplies the logits: the temperature's reciprocal. */
  readonly scale: number;
  /** 0 keeps all, as do all counts from V on. */
  readonly topK: number;
  /** 1 keeps all. */
  readonly topP: number;
  /** uint32 */
  readonly seed: number;
  readonly step: number;
  /** NT: rows of each sample of the batch. */
  readonly targets: number;
}

/** What a code is where the largest logit of its row is not finite. */
export const BROKEN_ROW = -1;

/** Room for the draws of this many targets, [B·NT, 2]: a code and its probability each. All broken, to begin with. */
export function emptyDraws(targets: number): tf.Tensor2D {
  return tf.fill([targets, 2], BROKEN_ROW);
}

/**
 * logits [rows, V] of the targets from row `first` on, positions [B·NT, 1] of all targets, int32 -> nothing; rows `first`
 * and so on of `draws` become the codes drawn (or BROKEN_ROW) and their probabilities after filtering. Chunks of rows
 * write into one tensor, as it is what comes back of a step.
 * @throws RangeError when the vocabulary is larger than the noise has counters for
 */
export function drawCodes(
  logits: tf.Tensor2D,
  positions: tf.Tensor2D,
  first: number,
  { scale, topK, topP, seed, step, targets }: DrawSettings,
  draws: tf.Tensor2D,
): void {
  const [rows, vocabulary] = logits.shape;
  if (vocabulary > 2 * COUNTERS_PER_POSITION) {
    throw new RangeError(
      `drawCodes: ${vocabulary} codes, but a position has counters for ${2 * COUNTERS_PER_POSITION}.`,
    );
  }
  const uniforms = [
    ...[vocabulary, rows, first, targets, seed | 0, step, topK].map(int),
    float(topP),
    float(scale),
  ];
  const program = new DrawCodesProgram(rows);
  writeOnGpu(program, [logits, positions], draws, uniforms);
}
