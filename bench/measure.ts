/**
 * Times contenders in turn: each round runs every one of them once, so that what else the machine does meets them all
 * alike. Knows nothing of what they compute.
 */
import { type Milliseconds, summarize } from './rows';

/** One contender, ready to run. */
export interface Runner {
  /** Computes once, to the end; where outputs can be compared, gives them. */
  readonly run: () => Promise<ArrayLike<number> | undefined>;
  /** Instead of the time that `run` took, where it computes a part: the ms that the whole would take, after a run. */
  readonly extrapolated?: () => number;
}

export interface Measured {
  readonly ms: Milliseconds;
  readonly runs: number;
  readonly output: ArrayLike<number> | undefined;
}

export interface Effort {
  /** ms that one contender may take in all for a case, warm-up included. One run is made in any case. */
  readonly milliseconds: number;
  readonly mostRuns: number;
}

interface Lane {
  readonly runner: Runner;
  /** ms of the counted runs. */
  readonly samples: number[];
  readonly warmUp: number;
  readonly output: ArrayLike<number> | undefined;
  /** ms on the clock, warm-up included. */
  spent: number;
}

/** One result a runner, in their order. A runner that throws gives its error instead, and the others go on. */
export async function alternate(
  runners: readonly Runner[],
  { milliseconds, mostRuns }: Effort,
): Promise<(Measured | Error)[]> {
  const lanes: (Lane | Error)[] = [];
  for (const runner of runners) lanes.push(await caught(() => warm(runner)));
  for (let round = 0; round < mostRuns; round++) {
    for (const [i, lane] of lanes.entries()) {
      if (lane instanceof Error || lane.spent + lane.spent / (lane.samples.length + 1) > milliseconds)
        continue;
      const took = await caught(() => clocked(lane.runner));
      if (took instanceof Error) lanes[i] = took;
      else {
        lane.samples.push(took.counts);
        lane.spent += took.took;
      }
    }
  }
  return lanes.map((lane) => {
    if (lane instanceof Error) return lane;
    const { samples, warmUp, output } = lane;
    return { ms: summarize(samples.length > 0 ? samples : [warmUp]), runs: samples.length, output };
  });
}

async function warm(runner: Runner): Promise<Lane> {
  const { took, counts, output } = await clocked(runner);
  return { runner, samples: [], warmUp: counts, output, spent: took };
}

interface Clocked {
  readonly took: number;
  /** What the row says: `took`, or what the whole would take. */
  readonly counts: number;
  readonly output: ArrayLike<number> | undefined;
}

async function clocked(runner: Runner): Promise<Clocked> {
  const began = performance.now();
  const output = await runner.run();
  const took = performance.now() - began;
  return { took, counts: runner.extrapolated?.() ?? took, output };
}

async function caught<T>(work: () => Promise<T>): Promise<T | Error> {
  try {
    return await work();
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error));
  }
}

/** Largest absolute difference; null unless both are there and of one length. */
export function largestDifference(
  a: ArrayLike<number> | undefined,
  b: ArrayLike<number> | undefined,
): number | null {
  if (!a || !b || a.length !== b.length) return null;
  let largest = 0;
  for (let i = 0; i < a.length; i++) {
    const difference = Math.abs((a[i] ?? Number.NaN) - (b[i] ?? Number.NaN));
    if (!(difference <= largest)) largest = difference;
  }
  return largest;
}
