/**
 * Follows one generation with other storages of the same model: at every step each gets the reference's state (its
 * tokens, its order), and the same noise, so that a difference is that step's own. Knows transformers and samplers, no
 * files.
 */
import * as tf from '@tensorflow/tfjs-core';
import type { GenerationOptions } from '../../src/config/generation';
import type { Extent3 } from '../../src/config/model';
import { runTransformer, type TokenSets, type TransformerParameters } from '../../src/model/transformer';
import { guidanceOf } from '../../src/pipeline/predict';
import { type Draws, drawCodes, probabilities } from '../../src/sampling/filtering';
import { sampleTokens } from '../../src/sampling/generate';
import type { GridState, PredictionRequest } from '../../src/sampling/steps';

/** One step of one storage against the reference. */
export interface StepDifference {
  /** Counts forward passes from 0. */
  readonly step: number;
  /** Masked positions that codes were drawn for. */
  readonly targets: number;
  /** Of them, those with the reference's code. */
  readonly equal: number;
  /** Of those with another code, the ones whose two best noised logits lie closer than `NEAR_TIE` logit errors. */
  readonly nearTies: number;
  /** Sums over all logits: (ours − reference)², reference². */
  readonly squaredError: number;
  readonly squares: number;
  readonly largestError: number;
}

/** Two codes' errors differ by so many root mean squares at most in 95 of 100 cases: 1.96·√2. */
export const NEAR_TIE = 2.77;

export interface Follower {
  readonly name: string;
  readonly transformer: TransformerParameters;
}

/** Sees each step of the reference: what was asked, what it drew, and from which logits [NT, V]. */
export type OnStep = (request: PredictionRequest, draws: Draws, logits: Float32Array) => void;

/**
 * The differences of every follower at every step, in the order of `followers`, and the reference's finished tokens.
 * All logits of a step are held, for the reference and one follower. Every masked position is compared, those too that
 * the sampler does not ask for.
 */
export async function follow(
  reference: TransformerParameters,
  followers: readonly Follower[],
  { options, grid }: { readonly options: GenerationOptions; readonly grid: Extent3 },
  onStep: OnStep = () => undefined,
): Promise<{ readonly differences: StepDifference[][]; readonly tokens: Int32Array }> {
  const differences: StepDifference[][] = followers.map(() => []);
  const leader = guided(reference);
  const led = followers.map(({ transformer }) => guided(transformer));
  const predict = async (asked: PredictionRequest): Promise<Draws> => {
    const request: PredictionRequest = askedForAll(asked);
    const logits = await leader.logitsFor(request);
    const draws = drawCodes(logits, request);
    for (const [i, { logitsFor }] of led.entries()) {
      const others = await logitsFor(request);
      differences[i]?.push(differenceOf(request, { logits, draws }, others));
    }
    onStep(request, draws, logits);
    return firstDraws(draws, asked.target.length);
  };
  let tokens = new Int32Array(0);
  try {
    for await (const step of sampleTokens({ options, grid, predict })) tokens = step.tokens;
  } finally {
    for (const { dispose } of [leader, ...led]) dispose();
  }
  return { differences, tokens };
}

/** The state in which every masked position is a target, behind those that were. Of one clip. */
function askedForAll<State extends GridState>({ masked, ...state }: State): Omit<State, 'masked'> {
  return masked ? { ...state, target: Int32Array.of(...state.target, ...masked) } : state;
}

/** What was drawn for the first `count` targets. */
function firstDraws({ samples, scores }: Draws, count: number): Draws {
  return { samples: samples.slice(0, count), scores: scores.slice(0, count) };
}

/** Logits as the page's predictor has them, until `dispose`. */
function guided(transformer: TransformerParameters) {
  const { setsFor, dispose } = guidanceOf(transformer);
  return { logitsFor: (request: PredictionRequest) => logitsOf(transformer, setsFor(request)), dispose };
}

/** [NT, V]; nothing is left on the backend. */
export async function logitsOf(transformer: TransformerParameters, sets: TokenSets): Promise<Float32Array> {
  const logits = runTransformer(transformer, sets);
  const values = await logits.data<'float32'>();
  tf.dispose(logits);
  return values;
}

function differenceOf(
  request: PredictionRequest,
  { logits, draws }: { readonly logits: Float32Array; readonly draws: Draws },
  others: Float32Array,
): StepDifference {
  let [squaredError, squares, largestError] = [0, 0, 0];
  for (let i = 0; i < logits.length; i++) {
    const value = logits[i] ?? 0;
    const off = (others[i] ?? Number.NaN) - value;
    squaredError += off * off;
    squares += value * value;
    if (!(Math.abs(off) <= largestError)) largestError = Math.abs(off);
  }
  const { samples } = drawCodes(others, request);
  const targets = samples.length;
  const changed = Array.from(samples.keys()).filter((row) => samples[row] !== draws.samples[row]);
  const closeness = NEAR_TIE * Math.sqrt(squaredError / logits.length);
  const vocabulary = logits.length / Math.max(1, targets);
  const nearTies = changed.filter((row) => {
    const values = logits.subarray(row * vocabulary, (row + 1) * vocabulary);
    return leadOf(values, request, row) < closeness;
  }).length;
  const step = request.step;
  return {
    step,
    targets,
    equal: targets - changed.length,
    nearTies,
    squaredError,
    squares,
    largestError,
  };
}

/** By how much the best noised logit of a row leads the second, in logits: codes are drawn as the largest p / noise. */
function leadOf(row: Float32Array, { filter, noise, step, target }: PredictionRequest, at: number): number {
  const race = new Float32Array(row.length);
  noise.fillCodes({ step, sample: 0, row: at, position: target[at] ?? 0 }, race);
  let [best, second] = [0, 0];
  for (const [code, p] of probabilities(row, filter).entries()) {
    const ratio = p / (race[code] ?? 1);
    if (ratio > best) [best, second] = [ratio, best];
    else if (ratio > second) second = ratio;
  }
  return Math.log(best / second) * filter.temperature;
}

/** Many steps as one. */
export interface Summary {
  readonly targets: number;
  /** Share of equal codes. */
  readonly equal: number;
  /** ‖ours − reference‖ / ‖reference‖ over all logits. */
  readonly relativeError: number;
  readonly largestError: number;
  /** Of the codes that differ; null where none does. */
  readonly nearTies: number | null;
}

export function summaryOf(steps: readonly StepDifference[]): Summary {
  const sum = (field: keyof StepDifference): number => steps.reduce((all, step) => all + step[field], 0);
  const [targets, equal] = [sum('targets'), sum('equal')];
  return {
    targets,
    equal: equal / targets,
    relativeError: Math.sqrt(sum('squaredError') / sum('squares')),
    largestError: Math.max(...steps.map(({ largestError }) => largestError)),
    nearTies: equal === targets ? null : sum('nearTies') / (targets - equal),
  };
}
