/**
 * What the samplers call to have codes predicted and drawn: the transformer's trunk once, its head in chunks of rows,
 * so that logits never take more than `LOGIT_BYTES`. It knows nothing of steps and phases.
 */
import * as tf from '@tensorflow/tfjs-core';
import { predictCodes } from '../model/predictCodes';
import {
  runHeadInChunks,
  runTrunk,
  runUnknowing,
  type TokenSets,
  type TransformerParameters,
} from '../model/transformer';
import { logitScale } from '../sampling/filtering';
import { CounterNoise } from '../sampling/random';
import { type LogitChunk, type Predict, type PredictionRequest, predictFromLogits } from '../sampling/steps';

export interface Predictor {
  readonly predict: Predict;
  /** Frees what guided passes have kept. */
  dispose(): void;
}

/**
 * Predicts with `transformer` on the backend that holds it. On WebGPU codes are drawn there; recorded noise is not there,
 * so with it, as on the other backends, logits come back chunk by chunk. The first guided pass runs one more, of a clip of
 * which nothing is known, and its hidden states are kept.
 */
export function predictorOf(transformer: TransformerParameters): Predictor {
  let unknowing: tf.Tensor2D | undefined;
  const dispose = (): void => {
    unknowing?.dispose();
    unknowing = undefined;
  };
  const setsOf = (request: PredictionRequest): TokenSets => {
    const { filter, context, tokens, batch } = request;
    const weight = filter.guidance ?? 0;
    if (weight === 0 || context.length === 0) return request;
    const positions = tokens.length / batch;
    if (unknowing?.shape[0] !== positions) {
      dispose();
      unknowing = runUnknowing(transformer, positions);
    }
    return { ...request, guide: { unknowing, weight } };
  };
  const fromLogits = predictFromLogits((request) => logitChunks(transformer, setsOf(request)));
  const predict: Predict = async (request) => {
    const { noise, filter, step } = request;
    const onDevice = tf.getBackend() === 'webgpu' && noise instanceof CounterNoise;
    if (!onDevice || request.target.length === 0) return fromLogits(request);
    const { topK = 0, topP = 1 } = filter;
    const scale = logitScale(filter);
    return predictCodes(transformer, setsOf(request), { scale, topK, topP, seed: noise.seed, step });
  };
  return { predict, dispose };
}

/** Logits of the targets, chunk by chunk: `LOGIT_BYTES` on the backend and their copy here. */
async function* logitChunks(
  transformer: TransformerParameters,
  sets: TokenSets,
): AsyncGenerator<LogitChunk, void, undefined> {
  const hidden = runTrunk(transformer, sets); // [B, NT, C]
  try {
    for (const { first, logits } of runHeadInChunks(transformer, hidden)) {
      yield { first, count: logits.shape[0], logits: await logits.data<'float32'>() };
    }
  } finally {
    hidden.dispose();
  }
}
