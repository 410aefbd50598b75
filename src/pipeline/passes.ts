/**
 * Time and memory of one family of transformers at one number of tokens, repeated as often as a share of time allows.
 * What is compared with what, and when to stop, is compare.ts's.
 */
import { type ComparisonPoint, FAMILIES, type Family } from '../config/comparison';
import { type AutoregressiveParameters, createCache, disposeCache } from '../model/autoregressive';
import { type Families, halfContext, predictNext, runForward } from '../model/families';
import type { TransformerParameters } from '../model/transformer';
import { drawCodes } from '../sampling/filtering';
import { CounterNoise } from '../sampling/random';
import { nextTask } from './nextTask';
import { peakBytes } from './peakBytes';

export interface Measurement {
  readonly point: ComparisonPoint;
  /** The least time that it can be had in, ms: one pass, or the fewest steps. What the next size is judged by. */
  readonly cost: number;
}

/** More repetitions do not make a median much better. */
const MOST_RUNS = 5;
/** Cache lengths that steps are measured at: the middles of as many equal parts of the sequence. */
const PARTS = 4;
/** Counted steps a part. */
const MOST_STEPS = 8;
/** Steps of the autoregressive family that a measurement takes at least: one a part, and one before them. */
export const FEWEST_STEPS = PARTS + 1;

/**
 * @param share ms that repetitions may take; the fewest possible are made in any case
 * @throws the signal's reason once aborted, looked at after each pass or step
 */
export function measureFamily(
  families: Families,
  family: Family,
  tokens: number,
  share: number,
  signal?: AbortSignal,
): Promise<Measurement> {
  return family === 'autoregressive'
    ? measureSteps(families.autoregressive, tokens, share, signal)
    : measurePasses(families[family], family, tokens, share, signal);
}

/** Few enough to be quick anywhere. */
const WARM_UP_TOKENS = 16;

/** A small pass of each family, so that the first measurement does not pay for compiling and for moving weights. */
export async function warmUp(families: Families, signal?: AbortSignal): Promise<void> {
  for (const family of FAMILIES) await measureFamily(families, family, WARM_UP_TOKENS, 0, signal);
}

/** Whole passes. The first is a warm-up, unless there is no time for a second. */
async function measurePasses(
  parameters: TransformerParameters,
  family: Family,
  tokens: number,
  share: number,
  signal: AbortSignal | undefined,
): Promise<Measurement> {
  const sets = halfContext(tokens, parameters.config.vocabulary);
  const times: number[] = [];
  const until = performance.now() + share;
  const { bytes } = await peakBytes(async () => {
    do {
      times.push(await timed(() => runForward(parameters, sets)));
      await turn(signal);
    } while (times.length <= MOST_RUNS && performance.now() + median(times) < until);
  });
  const counted = times.length > 1 ? times.slice(1) : times;
  const milliseconds = median(counted);
  return {
    point: { family, tokens, milliseconds, runs: counted.length, extrapolated: false, bytes },
    cost: milliseconds,
  };
}

/**
 * Steps at a few lengths of the cache, and from them the time of all N steps: the mean step times N. That is exact as
 * far as a step's time is linear in the length, by the midpoint rule. What stands in the cache before is zeros.
 */
async function measureSteps(
  parameters: AutoregressiveParameters,
  tokens: number,
  share: number,
  signal: AbortSignal | undefined,
): Promise<Measurement> {
  const noise = new CounterNoise(1);
  const parts = Array.from({ length: PARTS }, (_, i) => Math.floor(((i + 0.5) * tokens) / PARTS));
  const { result, bytes } = await peakBytes(async () => {
    const cache = createCache(parameters, tokens);
    const step = async (position: number): Promise<void> => {
      const logits = await predictNext(parameters, cache, position === 0 ? null : 0);
      const target = Int32Array.of(position);
      drawCodes(logits, { batch: 1, target, filter: { temperature: 1 }, noise, step: position });
    };
    try {
      await step(0); // Not counted: the cache's memory is touched for the first time.
      const middles: number[] = [];
      let steps = 0;
      for (const start of parts) {
        const until = performance.now() + share / PARTS;
        const most = Math.min(MOST_STEPS, Math.floor(tokens / PARTS / 2));
        const times: number[] = [];
        cache.length = start;
        do {
          times.push(await timed(() => step(cache.length)));
          await turn(signal);
        } while (times.length < most && performance.now() + median(times) < until);
        steps += times.length;
        middles.push(median(times));
      }
      return { steps, step: middles.reduce((sum, time) => sum + time, 0) / PARTS };
    } finally {
      disposeCache(cache);
    }
  });
  return {
    point: {
      family: 'autoregressive',
      tokens,
      milliseconds: tokens * result.step,
      runs: result.steps,
      extrapolated: result.steps < tokens,
      bytes,
    },
    cost: FEWEST_STEPS * result.step,
  };
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const began = performance.now();
  await work();
  return performance.now() - began;
}

async function turn(signal: AbortSignal | undefined): Promise<void> {
  await nextTask();
  signal?.throwIfAborted();
}

function median(values: readonly number[]): number {
  const ascending = values.toSorted((a, b) => a - b);
  const middle = ascending.length / 2;
  const [low = Number.NaN, high = low] = ascending.slice(Math.ceil(middle) - 1, Math.floor(middle) + 1);
  return (low + high) / 2;
}
