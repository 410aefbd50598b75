/**
 * What the samplers share: the state of a grid, a prediction, and the record of one step. Types, and the few
 * functions that copy sets of positions. Every array of B samples is row-major; all samples of a batch have
 * equally many context tokens and equally many targets.
 */
import { type DrawRequest, type Draws, drawRows, emptyDraws, type Filter, type Rows } from './filtering';
import type { Noise } from './random';

/** A grid of tokens and which of them are known. */
export interface GridState {
  readonly batch: number;
  /** [B, N] codes; meaningless outside `context`. */
  readonly tokens: Int32Array<ArrayBuffer>;
  /** [B, NC] positions that are known, in the order in which they became so. */
  readonly context: Int32Array<ArrayBuffer>;
  /** [B, NT] positions to predict. */
  readonly target: Int32Array<ArrayBuffer>;
  /** [B, NM] positions that are masked, too, but not asked for now; none when left out. */
  readonly masked?: Int32Array<ArrayBuffer>;
  /** All masked positions over those in `target` and `masked`, where these are a part of them; 1 when left out. */
  readonly standsFor?: number;
}

/** How codes come of one forward pass. */
export interface PassFilter extends Filter {
  /** Before the filter, logits become l + guidance (l − l₀), l₀ being those where no token is known; 0 when left out. */
  readonly guidance?: number | undefined;
}

/** One forward pass, and how to draw from what it predicts. */
export interface PredictionRequest extends GridState, Omit<DrawRequest, keyof GridState> {
  readonly filter: PassFilter;
}

/**
 * One forward pass and the draw of a code for every target. Logits are nobody's business but the predictor's: all of
 * them at once would be gigabytes for a long clip. Tokens outside `context` must not influence the result.
 */
export type Predict = (request: PredictionRequest) => Promise<Draws>;

/** Logits of some rows of the targets, [rows.count, V]. */
export interface LogitChunk extends Rows {
  readonly logits: Float32Array;
}

/** A predictor from one that gives logits, a chunk of rows at a time in any order, each row once. */
export function predictFromLogits(
  logitsOf: (request: PredictionRequest) => AsyncIterable<LogitChunk>,
): Predict {
  return async (request) => {
    const draws = emptyDraws(request);
    for await (const chunk of logitsOf(request)) drawRows(chunk.logits, chunk, request, draws);
    return draws;
  };
}

export type Phase = 'bootstrap' | 'draft' | 'revise';

/** One forward pass and what was made of it; `tokens` has the drawn codes already. */
export interface SamplingStep extends GridState, Draws {
  readonly phase: Phase;
  /** Counts forward passes from 0, over all phases; the `step` of the noise. */
  readonly index: number;
  readonly nextContext: Int32Array<ArrayBuffer>;
  readonly nextTarget: Int32Array<ArrayBuffer>;
}

/** What every sampler is driven by. */
export interface SamplerContext {
  readonly predict: Predict;
  readonly noise: Noise;
  /** Looked at after each awaited forward pass; aborting throws its reason. */
  readonly signal?: AbortSignal | undefined;
  /** `index` of the first step; 0 unless another phase came before. */
  readonly firstStep?: number;
}

/** Predicts the targets of `state` and writes the drawn codes into a copy of its tokens. */
export async function predictAndDraw(
  state: GridState,
  filter: PassFilter,
  { predict, noise, signal }: SamplerContext,
  index: number,
): Promise<Pick<SamplingStep, 'tokens' | 'samples' | 'scores'>> {
  signal?.throwIfAborted();
  const { samples, scores } = await predict({ ...state, filter, noise, step: index });
  signal?.throwIfAborted();
  const { target, batch } = state;
  const tokens = state.tokens.slice();
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

/**
 * The state in which only the first `count` targets of each sample are asked for: what is not kept need not be drawn.
 * Of the others the model reads the next ones, `read` with those asked for, in the place of all.
 */
export function askedForFirst(state: GridState, count: number, read: number): GridState {
  const { batch, target } = state;
  const targets = target.length / batch;
  if (count === targets) return state;
  const rows = Array.from({ length: batch }, (_, sample) => rowOf(target, sample, batch));
  return {
    ...state,
    target: joinRows(rows.map((row) => row.subarray(0, count))),
    masked: joinRows(rows.map((row) => row.subarray(count, read))),
    ...(read < targets ? { standsFor: targets / read } : {}),
  };
}

/** [B, n] from one row a sample. */
export function joinRows(rows: readonly ArrayLike<number>[]): Int32Array<ArrayBuffer> {
  return Int32Array.from(rows.flatMap((row) => Array.from(row)));
}

/** All positions 0 … N - 1 for each sample: [B, N]. */
export function allPositions(batch: number, positions: number): Int32Array<ArrayBuffer> {
  return Int32Array.from({ length: batch * positions }, (_, i) => i % positions);
}
