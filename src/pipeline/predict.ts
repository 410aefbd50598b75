/**
 * What the samplers call to have codes predicted and drawn: the transformer's trunk, its head in chunks of rows,
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
  readonly dispose: () => void;
}

/**
 * Predicts with `transformer` on the backend that holds it. On WebGPU codes are drawn there; recorded noise is not there,
 * so with it, as on the other backends, logits come back chunk by chunk.
 */
export function predictorOf(transformer: TransformerParameters): Predictor {
  const { setsFor, dispose } = guidanceOf(transformer);
  const fromLogits = predictFromLogits((request) => logitChunks(transformer, setsFor(request)));
  const predict: Predict = async (request) => {
    const { noise, filter, step } = request;
    const onDevice = tf.getBackend() === 'webgpu' && noise instanceof CounterNoise;
    if (!onDevice || request.target.length === 0) return fromLogits(request);
    const { topK = 0, topP = 1 } = filter;
    const scale = logitScale(filter);
    return predictCodes(transformer, setsFor(request), { scale, topK, topP, seed: noise.seed, step });
  };
  return { predict, dispose };
}

export interface Guidance {
  /** What the transformer is to read for a request. */
  readonly setsFor: (request: PredictionRequest) => TokenSets;
  /** Frees what guided passes have kept. */
  readonly dispose: () => void;
}

/**
 * What guides the passes of a transformer: the first guided one has another run before it, of a clip of which nothing is
 * known, whose hidden states are kept.
 */
export function guidanceOf(transformer: TransformerParameters): Guidance {
  let unknowing: tf.Tensor2D | undefined;
  const dispose = (): void => {
    unknowing?.dispose();
    unknowing = undefined;
  };
  const setsFor = (request: PredictionRequest): TokenSets => {
    const { filter, context, tokens, batch } = request;
    const weight = filter.guidance ?? 0;
    if (!isGuided(weight, context.length)) return request;
    const positions = tokens.length / batch;
    if (unknowing?.shape[0] !== positions) {
      dispose();
      unknowing = runUnknowing(transformer, positions);
    }
    return { ...request, guide: { unknowing, weight } };
  };
  return { setsFor, dispose };
}

/** Where nothing is known, there is nothing to stress. */
export function isGuided(guidance: number, contexts: number): boolean {
  return guidance > 0 && contexts > 0;
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
