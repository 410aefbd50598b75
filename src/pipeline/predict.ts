/**
 * What the samplers call to have codes predicted and drawn: the transformer's trunk once, its head in chunks of rows,
 * so that logits never take more than `LOGIT_BYTES`. It knows nothing of steps and phases.
 */
import * as tf from '@tensorflow/tfjs-core';
import { BROKEN_ROW, drawCodes, emptyDraws as emptyDrawsOnDevice } from '../kernels/drawCodes';
import { submitToGpu } from '../kernels/gpu';
import { runHeadInChunks, runTrunk, type TransformerParameters } from '../model/transformer';
import { type Draws, emptyDraws, logitScale } from '../sampling/filtering';
import { CounterNoise } from '../sampling/random';
import {
  type GridState,
  type LogitChunk,
  type Predict,
  type PredictionRequest,
  predictFromLogits,
} from '../sampling/steps';

/**
 * Predicts with `transformer` on the backend that holds it. On WebGPU codes are drawn there; recorded noise is not there,
 * so with it, as on the other backends, logits come back chunk by chunk. Leaves no tensor behind.
 */
export function predictorOf(transformer: TransformerParameters): Predict {
  const fromLogits = predictFromLogits((state) => logitChunks(transformer, state));
  return async (request) => {
    const { noise, target } = request;
    const onDevice = tf.getBackend() === 'webgpu' && noise instanceof CounterNoise && target.length > 0;
    return onDevice ? predictOnDevice(transformer, request, noise.seed) : fromLogits(request);
  };
}

/** Logits of the targets, chunk by chunk: `LOGIT_BYTES` on the backend and their copy here. */
async function* logitChunks(
  transformer: TransformerParameters,
  state: GridState,
): AsyncGenerator<LogitChunk, void, undefined> {
  const hidden = runTrunk(transformer, state); // [B, NT, C]
  try {
    for (const { first, logits } of runHeadInChunks(transformer, hidden)) {
      yield { first, count: logits.shape[0], logits: await logits.data<'float32'>() };
    }
  } finally {
    hidden.dispose();
  }
}

/** One readback, of codes and probabilities. */
async function predictOnDevice(
  transformer: TransformerParameters,
  request: PredictionRequest,
  seed: number,
): Promise<Draws> {
  const drawn = tf.tidy(() => drawChunks(transformer, request, seed)); // [B·NT, 2]
  let pairs: Float32Array;
  try {
    pairs = await drawn.data<'float32'>();
  } finally {
    drawn.dispose();
  }
  const { samples, scores } = emptyDraws(request);
  for (let i = 0; i < samples.length; i++) {
    const code = pairs[2 * i] ?? BROKEN_ROW;
    if (code === BROKEN_ROW) {
      throw new Error(`Draw: the largest logit of row ${i} is not finite; the model's output is broken.`);
    }
    samples[i] = code; // exact: a code is far below 2^24
    scores[i] = pairs[2 * i + 1] ?? 0;
  }
  return { samples, scores };
}

/** A code and its probability for every target, [B·NT, 2], in the order of the request's targets. */
function drawChunks(
  transformer: TransformerParameters,
  request: PredictionRequest,
  seed: number,
): tf.Tensor2D {
  const { batch, target, filter, step } = request;
  const settings = {
    scale: logitScale(filter),
    topK: filter.topK ?? 0,
    topP: filter.topP ?? 1,
    seed,
    step,
    targets: target.length / batch,
  };
  const positions = tf.tensor2d(target, [target.length, 1], 'int32');
  const draws = emptyDrawsOnDevice(target.length);
  for (const { first, logits } of runHeadInChunks(transformer, runTrunk(transformer, request))) {
    drawCodes(logits, positions, first, settings, draws);
    // What waits to be submitted keeps its memory: now the next chunk's logits take the place of these.
    submitToGpu();
  }
  return draws;
}
