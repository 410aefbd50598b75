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
  /** In place of the effort's. */
  readonly patience?: number;
}

export interface Measured {
  readonly ms: Milliseconds;
  readonly runs: number;
  readonly output: ArrayLike<number> | undefined;
}

export interface Effort {
  /** ms that one contender may take in all for a case, warm-up included. */
  readonly milliseconds: number;
  /** One run follows the warm-up (first runs are slow: code is still being compiled) unless the warm-up took so many ms. */
  readonly patience: number;
  readonly mostRuns: number;
  /** ms that rows count, where it is not the clock on the wall: processor time, on a machine that does other work, too. */
  readonly clock?: () => number;
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
  { milliseconds, patience, mostRuns, clock = wall }: Effort,
): Promise<(Measured | Error)[]> {
  const lanes: (Lane | Error)[] = [];
  for (const runner of runners) lanes.push(await caught(() => warm(runner, clock)));
  for (let round = 0; round < mostRuns; round++) {
    for (const [i, lane] of lanes.entries()) {
      if (lane instanceof Error || !hasTime(lane, milliseconds, lane.runner.patience ?? patience)) continue;
      const took = await caught(() => clocked(lane.runner, clock));
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

function hasTime({ samples, spent }: Lane, milliseconds: number, patience: number): boolean {
  if (samples.length === 0) return spent <= patience;
  return spent + spent / (samples.length + 1) <= milliseconds;
}

const wall = (): number => performance.now();

async function warm(runner: Runner, clock: () => number): Promise<Lane> {
  const { took, counts, output } = await clocked(runner, clock);
  return { runner, samples: [], warmUp: counts, output, spent: took };
}

interface Clocked {
  /** ms on the wall. */
  readonly took: number;
  /** What the row says: by the clock asked for, or what the whole would take. */
  readonly counts: number;
  readonly output: ArrayLike<number> | undefined;
}

async function clocked(runner: Runner, clock: () => number): Promise<Clocked> {
  const [began, started] = [wall(), clock()];
  const output = await runner.run();
  const counts = runner.extrapolated?.() ?? clock() - started;
  return { took: wall() - began, counts, output };
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
