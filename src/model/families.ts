/**
 * The three families of transformers at equal width and depth, over one set of weights, and one pass of each. What a
 * pass costs does not depend on the weights' values, so that dense and autoregressive borrow MeBT's blocks: only their
 * cost is worth looking at, not their predictions. For a transformer of either kind with weights of its own see
 * transformer.ts (`denseOf` makes the configuration) and autoregressive.ts.
 */
import * as tf from '@tensorflow/tfjs-core';
import { autoregressiveOf, denseOf } from '../config/model';
import { sliceRows } from '../kernels/sliceRows';
import { type AutoregressiveParameters, type KeyValueCache, runAutoregressiveStep } from './autoregressive';
import { randomWeight } from './initialization';
import { runHeadInChunks, runTrunk, type TokenSets, type TransformerParameters } from './transformer';

export interface Families {
  readonly mebt: TransformerParameters;
  readonly dense: TransformerParameters;
  readonly autoregressive: AutoregressiveParameters;
  /** Frees what is not borrowed. Not after the parameters that were borrowed from. */
  dispose(): void;
}

/** Families of up to `positions` tokens over the weights of `transformer`; a longer position embedding is all that is new. */
export function familiesOf(transformer: TransformerParameters, positions: number): Families {
  const shape = [positions, transformer.config.width] as const;
  const random = randomWeight({ name: 'transformer.positionEmbedding', shape }, 1);
  const positionEmbedding = tf.tensor2d(random, [...shape]);
  const config = { ...transformer.config, positions };
  const { blocks, maskEmbedding, tokenEmbedding, finalNorm, head } = transformer;
  return {
    mebt: { ...transformer, config, positionEmbedding },
    dense: {
      ...transformer,
      config: denseOf(config),
      positionEmbedding,
      blocks: blocks.map((block) => ({ ...block, mode: 'maskgit' })),
    },
    autoregressive: {
      config: autoregressiveOf(config),
      tokenEmbedding,
      positionEmbedding,
      startToken: maskEmbedding,
      blocks,
      finalNorm,
      head,
    },
    dispose: () => positionEmbedding.dispose(),
  };
}

/** Every second of N tokens known, the others to predict: half context. */
export function halfContext(tokens: number, vocabulary: number): TokenSets {
  const every = (first: number): Int32Array =>
    Int32Array.from({ length: Math.floor((tokens + 1 - first) / 2) }, (_, i) => first + 2 * i);
  return {
    tokens: Int32Array.from({ length: tokens }, (_, i) => (i * 7) % vocabulary),
    context: every(0),
    target: every(1),
  };
}

/** One forward pass to its end, logits and all. */
export async function runForward(parameters: TransformerParameters, sets: TokenSets): Promise<void> {
  const hidden = runTrunk(parameters, sets);
  try {
    let last: tf.Tensor | null = null;
    for (const { logits } of runHeadInChunks(parameters, hidden)) {
      last?.dispose();
      last = onGpu() ? tf.tidy(() => sliceRows(tf.reshape(logits, [1, logits.size]), 0, 1)) : null;
    }
    // A GPU is done when something that it made can be read; the other backends are when their functions return.
    await last?.data();
    last?.dispose();
  } finally {
    hidden.dispose();
  }
}

const onGpu = (): boolean => tf.getBackend() === 'webgpu';

/** Logits [V] of one more position. */
export async function predictNext(
  parameters: AutoregressiveParameters,
  cache: KeyValueCache,
  previous: number | null,
): Promise<Float32Array> {
  const logits = runAutoregressiveStep(parameters, cache, previous);
  try {
    return await logits.data<'float32'>();
  } finally {
    logits.dispose();
  }
}
