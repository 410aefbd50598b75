/** One case: opens the contenders that there is time for, times them in turn, compares their outputs, makes their rows. */
import { type Allowance, kindOf, type Piece } from './allowance';
import { alternate, largestDifference, type Measured, type Runner } from './measure';
import type { Ort } from './onnx/session';
import { type BenchBackend, type CaseName, type ContenderName, NOT_RUN, type Row } from './rows';
import type { BenchModel } from './weights';

/** What every case is told. */
export interface Bench {
  readonly backend: BenchBackend;
  /** Name of the adapter, or of the threads. */
  readonly adapter: string;
  /** Tiny shapes: to see that the bench works, not to measure. */
  readonly quick: boolean;
  readonly allowance: Allowance;
  readonly mostRuns: number;
  /** ms that rows count, where it is not the clock on the wall. */
  readonly clock?: () => number;
  readonly stored: BenchModel;
  /** onnxruntime-web for this backend, or why there is none. */
  readonly ort: Ort | string;
  /** GFLOP/s of the best product of two matrices here. */
  readonly best: number | null;
  readonly wants: (contender: ContenderName) => boolean;
  readonly log: (line: string) => void;
}

/** A contender that is loaded and ready. */
export interface Opened extends Runner {
  /** Bytes of its weights on the backend, where they can be known. */
  readonly weightBytes: number | null;
  /** The most bytes that one run needed beyond the weights; asked after the first run. */
  readonly activationBytes?: () => number | null;
  /** What stayed behind; asked after the last run. */
  readonly growth?: () => NonNullable<Row['growth']>;
  readonly note?: string;
  readonly dispose: () => void | Promise<void>;
}

export interface Contender {
  readonly name: ContenderName;
  /** Floating-point operations of one run, products only; null where nobody counts them. */
  readonly flops: number | null;
  /** What a run's time is foretold from; one piece of all `flops` by default. */
  readonly pieces?: readonly Piece[];
  /** The share of its work that a run really does, where the rest is extrapolated; 1 by default. */
  readonly part?: number;
  /** How many times as long as others it may take, because a target asks for it; 1 by default. */
  readonly patience?: number;
  /** Throws with a sentence where it cannot be had. */
  readonly open: () => Promise<Opened>;
}

/** Why a contender has no times. */
interface Absent {
  readonly reason: string;
  readonly estimate?: number;
}

interface Entry {
  readonly contender: Contender;
  readonly opened: Opened | Absent;
}

export interface Case {
  readonly name: CaseName;
  /** What is computed, in words. */
  readonly work: string;
  /** The warm-up alone is what is asked for; it tells nothing of other cases' paces. */
  readonly once?: boolean;
}

export async function contest(bench: Bench, one: Case, contenders: readonly Contender[]): Promise<Row[]> {
  const { allowance, clock } = bench;
  const entries: Entry[] = [];
  for (const contender of contenders.filter(({ name }) => bench.wants(name))) {
    const { name, patience = 1 } = contender;
    const refusal = allowance.refusal(name, piecesOf(one.name, contender), patience);
    if (!refusal) bench.log(`${one.name}: ${contender.name} is loaded`);
    entries.push({ contender, opened: refusal ?? (await contender.open().catch(asAbsent)) });
  }
  const ready = entries.flatMap(({ opened }) => (isAbsent(opened) ? [] : [opened]));
  try {
    const milliseconds = one.once ? 0 : allowance.budget();
    const effort = { milliseconds, patience: milliseconds, mostRuns: one.once ? 0 : bench.mostRuns };
    const runners = entries.flatMap(({ contender, opened }) =>
      isAbsent(opened) ? [] : [runnerOf(bench, one, contender, opened)],
    );
    const results = await alternate(runners, { ...effort, ...(clock ? { clock } : {}) });
    const measured = entries.map(({ opened }) => {
      if (isAbsent(opened)) return opened;
      const result = results[ready.indexOf(opened)] ?? new Error('it was not measured');
      return result instanceof Error ? asAbsent(result) : result;
    });
    const ours = measured[entries.findIndex(({ contender }) => contender.name === 'ours')];
    const reference = ours && !isAbsent(ours) ? ours.output : undefined;
    return entries.map((entry, i) => rowOf(bench, one, entry, measured[i] ?? NOTHING, reference));
  } finally {
    for (const opened of ready) await opened.dispose();
  }
}

/** A warm-up compiles, so that it tells no pace: where none is known yet, one more run is waited for in any case. */
function runnerOf(bench: Bench, one: Case, contender: Contender, { run, extrapolated }: Opened): Runner {
  const known = bench.allowance.estimate(contender.name, piecesOf(one.name, contender)) !== undefined;
  const patience = known || one.once ? {} : { patience: bench.allowance.longest(contender.patience ?? 1) };
  return { run, ...(extrapolated ? { extrapolated } : {}), ...patience };
}

const NOTHING: Absent = { reason: 'it was not measured' };

/** What a run of the case computes, without what it extrapolates. */
export function piecesOf(name: CaseName, { flops, pieces, part = 1 }: Contender): readonly Piece[] {
  return pieces ?? (flops === null ? [] : [{ kind: kindOf(name), flops: flops * part }]);
}

function rowOf(
  { backend, adapter, best, allowance }: Bench,
  one: Case,
  { contender, opened }: Entry,
  result: Measured | Absent,
  reference: ArrayLike<number> | undefined,
): Row {
  const head = { case: one.name, backend, adapter, contender: contender.name, work: one.work };
  if (isAbsent(opened) || isAbsent(result)) {
    const { reason, estimate } = isAbsent(opened) ? opened : isAbsent(result) ? result : NOTHING;
    const nothing = { gflops: null, bytes: null, activationBytes: null, difference: null, share: null };
    const expected = estimate === undefined ? {} : { estimate };
    return { ...head, ...nothing, ...expected, ms: NOT_RUN, runs: 0, note: `not run: ${firstLine(reason)}` };
  }
  const { ms, runs, output } = result;
  const { flops } = contender;
  const gflops = flops !== null && ms.median ? flops / 1e6 / ms.median : null;
  if (flops !== null && ms.median && !one.once && !contender.pieces) {
    allowance.learn(kindOf(one.name), contender.name, flops, ms.median);
  }
  const activationBytes = opened.activationBytes?.() ?? null;
  const { weightBytes } = opened;
  const growth = opened.growth?.();
  return {
    ...head,
    ms,
    gflops,
    runs,
    bytes: weightBytes === null || activationBytes === null ? null : weightBytes + activationBytes,
    activationBytes,
    difference: contender.name === 'ours' ? null : largestDifference(output, reference),
    share: gflops !== null && best !== null ? gflops / best : null,
    ...(growth ? { growth } : {}),
    ...(opened.note ? { note: opened.note } : {}),
  };
}

const isAbsent = (one: object): one is Absent => 'reason' in one;

const firstLine = (message: string): string => (message.split('\n')[0] ?? '').slice(0, 200);

const asAbsent = (error: unknown): Absent => ({
  reason: error instanceof Error ? error.message : String(error),
});
