/**
 * What the samplers share: the state of a grid, a forward pass, and the record of one step. Types, and the few
 * functions that copy sets of positions. Every array of B samples is row-major; all samples of a batch have
 * equally many context tokens and equally many targets.
 */
import { drawCodes, type Filter } from './filtering';
import type { Noise } from './random';

/**
 * One forward pass: tokens [B, N], context [B, NC] and target [B, NT] positions → logits [B, NT, V] in the order
 * of `target`. Tokens outside `context` must not influence the result.
 */
export type PredictLogits = (
  tokens: Int32Array,
  context: Int32Array,
  target: Int32Array,
) => Promise<Float32Array>;

/** A grid of tokens and which of them are known. */
export interface GridState {
  readonly batch: number;
  /** [B, N] codes; meaningless outside `context`. */
  readonly tokens: Int32Array<ArrayBuffer>;
  /** [B, NC] positions that are known, in the order in which they became so. */
  readonly context: Int32Array<ArrayBuffer>;
  /** [B, NT] positions to predict. */
  readonly target: Int32Array<ArrayBuffer>;
}

export type Phase = 'bootstrap' | 'draft' | 'revise';

/** One forward pass and what was made of it. */
export interface SamplingStep extends GridState {
  readonly phase: Phase;
  /** Counts forward passes from 0, over all phases; the `step` of the noise. */
  readonly index: number;
  /** [B, NT] code drawn for each target. `tokens` has them already. */
  readonly samples: Int32Array<ArrayBuffer>;
  /** [B, NT] their probabilities. */
  readonly scores: Float32Array<ArrayBuffer>;
  readonly nextContext: Int32Array<ArrayBuffer>;
  readonly nextTarget: Int32Array<ArrayBuffer>;
}

/** What every sampler is driven by. */
export interface SamplerContext {
  readonly predictLogits: PredictLogits;
  readonly noise: Noise;
  /** Looked at after each awaited forward pass; aborting throws its reason. */
  readonly signal?: AbortSignal | undefined;
  /** `index` of the first step; 0 unless another phase came before. */
  readonly firstStep?: number;
}

/** Predicts the targets of `state` and writes the drawn codes into a copy of its tokens. */
export async function predictAndDraw(
  state: GridState,
  filter: Filter,
  { predictLogits, noise, signal }: SamplerContext,
  index: number,
): Promise<Pick<SamplingStep, 'tokens' | 'samples' | 'scores'>> {
  signal?.throwIfAborted();
  const { tokens: before, context, target, batch } = state;
  const logits = await predictLogits(before, context, target);
  signal?.throwIfAborted();
  const { samples, scores } = drawCodes(logits, target, batch, filter, noise, index);
  const tokens = before.slice();
  const positions = tokens.length / batch;
  const targets = target.length / batch;
  for (let i = 0; i < target.length; i++) {
    tokens[Math.floor(i / targets) * positions + (target[i] ?? 0)] = samples[i] ?? 0;
  }
  return { tokens, samples, scores };
}

/** Row `sample` of `values` [B, n], without copying. */
export function rowOf(values: Int32Array, sample: number, batch: number): Int32Array {
  const length = values.length / batch;
  return values.subarray(sample * length, (sample + 1) * length);
}

/** [B, n] from one row a sample. */
export function joinRows(rows: readonly (readonly number[])[]): Int32Array<ArrayBuffer> {
  return Int32Array.from(rows.flat());
}

/** All positions 0 … N - 1 for each sample: [B, N]. */
export function allPositions(batch: number, positions: number): Int32Array<ArrayBuffer> {
  return Int32Array.from({ length: batch * positions }, (_, i) => i % positions);
}
