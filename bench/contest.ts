/** One case: opens the contenders, times them in turn, compares what they computed, and makes their rows. */
import { alternate, type Effort, largestDifference, type Measured, type Runner } from './measure';
import type { Ort } from './onnx/session';
import { type BenchBackend, type CaseName, type ContenderName, NOT_RUN, type Row } from './rows';
import type { Size } from './sizes';
import type { BenchModel } from './weights';

/** What every case is told. */
export interface Bench {
  readonly backend: BenchBackend;
  /** Name of the adapter, or of the threads. */
  readonly adapter: string;
  readonly size: Size;
  readonly effort: Effort;
  readonly stored: BenchModel;
  /** onnxruntime-web for this backend, or why there is none. */
  readonly ort: Ort | string;
  /** GFLOP/s of the best product of two matrices here. */
  readonly best: number | null;
  /** GFLOP/s of contenders at smaller sizes, by `paceOf`. */
  readonly paces: Map<string, number>;
  readonly wants: (contender: ContenderName) => boolean;
  readonly log: (line: string) => void;
}

/** A contender that is loaded and ready. */
export interface Opened extends Runner {
  /** Floating-point operations of one run, products only. */
  readonly flops: number | null;
  /** Bytes of its weights on the backend, where they can be known. */
  readonly weightBytes: number | null;
  /** The most bytes that one run needed beyond the weights; asked after the first run. */
  readonly activationBytes?: () => number | null;
  readonly note?: string;
  readonly dispose: () => void | Promise<void>;
}

export interface Contender {
  readonly name: ContenderName;
  /** Throws with a sentence where it cannot be had. */
  readonly open: () => Promise<Opened>;
}

export async function contest(
  bench: Bench,
  name: CaseName,
  work: string,
  contenders: readonly Contender[],
): Promise<Row[]> {
  const entries: { contender: ContenderName; opened: Opened | Error }[] = [];
  for (const { name: contender, open } of contenders.filter((one) => bench.wants(one.name))) {
    const opened = await open().catch(asError);
    const refused = opened instanceof Error ? undefined : tooSlow(bench, paceOf(name, contender), opened);
    if (refused && !(opened instanceof Error)) await opened.dispose();
    entries.push({ contender, opened: refused ?? opened });
  }
  try {
    const ready = entries.flatMap(({ opened }) => (opened instanceof Error ? [] : [opened]));
    const results = await alternate(ready, bench.effort);
    const measured = entries.map(({ opened }) =>
      opened instanceof Error ? opened : (results[ready.indexOf(opened)] ?? new Error('it was not measured')),
    );
    const ours = measured[entries.findIndex(({ contender }) => contender === 'ours')];
    const reference = ours instanceof Error ? undefined : ours?.output;
    return entries.map(({ contender, opened }, i) => {
      const result = measured[i] ?? new Error('it was not measured');
      const head = { case: name, backend: bench.backend, adapter: bench.adapter, contender };
      const row = rowOf({ ...head, work }, opened, result, reference, bench.best);
      if (row.gflops !== null) bench.paces.set(paceOf(name, contender), row.gflops);
      return row;
    });
  } finally {
    for (const { opened } of entries) if (!(opened instanceof Error)) await opened.dispose();
  }
}

/** Sizes of one kind of work share their paces. */
const paceOf = (name: CaseName, contender: ContenderName): string =>
  `${name.replace(/-\d+$/, '')} ${contender}`;

/** Judged by a smaller size: one run would take more than the patience there is. */
function tooSlow({ paces, effort }: Bench, pace: string, { flops }: Opened): Error | undefined {
  const gflops = paces.get(pace);
  if (gflops === undefined || flops === null || flops / 1e6 / gflops <= effort.patience) return undefined;
  const seconds = Math.round(flops / 1e9 / gflops);
  return new Error(`about ${seconds} s a run at the ${gflops.toPrecision(2)} GFLOP/s of the size before`);
}

function rowOf(
  head: Pick<Row, 'case' | 'backend' | 'adapter' | 'contender' | 'work'>,
  opened: Opened | Error,
  result: Measured | Error,
  reference: ArrayLike<number> | undefined,
  best: number | null,
): Row {
  if (opened instanceof Error || result instanceof Error) {
    const { message } = opened instanceof Error ? opened : asError(result);
    const nothing = { gflops: null, bytes: null, activationBytes: null, difference: null, share: null };
    return { ...head, ...nothing, ms: NOT_RUN, runs: 0, note: `not run: ${firstLine(message)}` };
  }
  const { ms, runs, output } = result;
  const gflops = opened.flops !== null && ms.median ? opened.flops / 1e6 / ms.median : null;
  const activationBytes = opened.activationBytes?.() ?? null;
  const { weightBytes } = opened;
  return {
    ...head,
    ms,
    gflops,
    runs,
    bytes: weightBytes === null || activationBytes === null ? null : weightBytes + activationBytes,
    activationBytes,
    difference: head.contender === 'ours' ? null : largestDifference(output, reference),
    share: gflops !== null && best !== null ? gflops / best : null,
    ...(opened.note ? { note: opened.note } : {}),
  };
}

const firstLine = (message: string): string => (message.split('\n')[0] ?? '').slice(0, 200);

export const asError = (error: unknown): Error => (error instanceof Error ? error : new Error(String(error)));
