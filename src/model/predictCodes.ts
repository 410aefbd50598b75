/**
 * A forward pass whose codes are drawn on the GPU: trunk, head in chunks, and the draw from each chunk, with one readback
 * in the end. WebGPU only. It decides nothing about what is drawn when; that is sampling's.
 */
import * as tf from '@tensorflow/tfjs-core';
import { BROKEN_ROW, type DrawSettings, drawCodes, emptyDraws } from '../kernels/drawCodes';
import { freeUnusedGpuMemory } from '../kernels/gpu';
import { runHeadInChunks, runTrunk, type TokenSets, type TransformerParameters } from './transformer';

export interface PredictedCodes {
  /** [B, NT] the code drawn for each target. */
  readonly samples: Int32Array<ArrayBuffer>;
  /** [B, NT] its probability after filtering. */
  readonly scores: Float32Array<ArrayBuffer>;
}

/** Bytes of buffers for reuse that a step may leave: the next one has other numbers of tokens, and uses few of them again. */
export const UNUSED_GPU_BYTES = 64 * 2 ** 20;

/** Leaves no tensor behind. @throws Error where a row's largest logit is not finite */
export async function predictCodes(
  parameters: TransformerParameters,
  sets: TokenSets,
  settings: Omit<DrawSettings, 'targets'>,
): Promise<PredictedCodes> {
  const drawn = tf.tidy(() => drawTargets(parameters, sets, settings)); // [B·NT, 2]
  let pairs: Float32Array;
  try {
    pairs = await drawn.data<'float32'>();
  } finally {
    drawn.dispose();
    freeUnusedGpuMemory(UNUSED_GPU_BYTES);
  }
  const rows = sets.target.length;
  const samples = new Int32Array(rows);
  const scores = new Float32Array(rows);
  for (let row = 0; row < rows; row++) {
    const code = pairs[2 * row] ?? BROKEN_ROW;
    if (code === BROKEN_ROW) {
      throw new Error(`Draw: the largest logit of row ${row} is not finite; the model's output is broken.`);
    }
    samples[row] = code; // exact: codes are far below 2^24
    scores[row] = pairs[2 * row + 1] ?? 0;
  }
  return { samples, scores };
}

/** A code and its probability for every target, [B·NT, 2], in the order of the targets. */
export function drawTargets(
  parameters: TransformerParameters,
  sets: TokenSets,
  settings: Omit<DrawSettings, 'targets'>,
): tf.Tensor2D {
  const { target, batch = 1 } = sets;
  const draws = emptyDraws(target.length);
  const positions = tf.tensor2d(target, [target.length, 1], 'int32');
  const targets = target.length / batch;
  for (const { first, logits } of runHeadInChunks(parameters, runTrunk(parameters, sets))) {
    drawCodes(logits, positions, first, { ...settings, targets }, draws);
  }
  return draws;
}
