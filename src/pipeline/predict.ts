/**
 * What the samplers call to have codes predicted and drawn: the transformer's trunk once, its head in chunks of rows,
 * so that logits never take more than `LOGIT_BYTES`. It knows nothing of steps and phases.
 */
import * as tf from '@tensorflow/tfjs-core';
import { predictCodes } from '../model/predictCodes';
import { runHeadInChunks, runTrunk, type TransformerParameters } from '../model/transformer';
import { logitScale } from '../sampling/filtering';
import { CounterNoise } from '../sampling/random';
import { type GridState, type LogitChunk, type Predict, predictFromLogits } from '../sampling/steps';

/**
 * Predicts with `transformer` on the backend that holds it. On WebGPU codes are drawn there; recorded noise is not there,
 * so with it, as on the other backends, logits come back chunk by chunk. Leaves no tensor behind.
 */
export function predictorOf(transformer: TransformerParameters): Predict {
  const fromLogits = predictFromLogits((state) => logitChunks(transformer, state));
  return async (request) => {
    const { noise, filter, step } = request;
    const onDevice = tf.getBackend() === 'webgpu' && noise instanceof CounterNoise;
    if (!onDevice || request.target.length === 0) return fromLogits(request);
    const { topK = 0, topP = 1 } = filter;
    const scale = logitScale(filter);
    return predictCodes(transformer, request, { scale, topK, topP, seed: noise.seed, step });
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
