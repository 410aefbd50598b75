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
    entries.push({ contender, opened: await open().catch(asError) });
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
      return rowOf({ ...head, work }, opened, result, reference, bench.best);
    });
  } finally {
    for (const { opened } of entries) if (!(opened instanceof Error)) await opened.dispose();
  }
}

function rowOf(
  head: Pick<Row, 'case' | 'backend' | 'adapter' | 'contender' | 'work'>,
  opened: Opened | Error,
  result: Measured | Error,
  reference: ArrayLike<number> | undefined,
  best: number | null,
): Row {
  if (opened instanceof Error || result instanceof Error) {
    const { message } = result instanceof Error ? result : new Error('it was not opened');
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
