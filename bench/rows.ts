/** What a measurement is: names, one row, and the statistics of its samples. JSON of the rows is the bench's product. */

export const CASES = [
  'first-step',
  'forward-1024',
  'forward-2048',
  'forward-4096',
  'forward-8192',
  'decode-16',
  'decode-64',
  'decode-128',
  'generate-64',
] as const;
export type CaseName = (typeof CASES)[number];

export const BACKENDS = ['webgpu', 'wasm', 'cpu'] as const;
export type BenchBackend = (typeof BACKENDS)[number];

export const CONTENDERS = [
  'ours',
  'tfjs-stock',
  'onnxruntime-web',
  'dense',
  'autoregressive',
  'pytorch',
] as const;
export type ContenderName = (typeof CONTENDERS)[number];

export interface Row {
  readonly case: CaseName;
  readonly backend: BenchBackend | 'cuda';
  /** The adapter's name, or the number of threads. */
  readonly adapter: string;
  readonly contender: ContenderName;
  /** Null where it could not be run; `note` says why. */
  readonly ms: Milliseconds;
  /** 10⁹ floating-point operations a second, at the median. */
  readonly gflops: number | null;
  /** Most bytes of tensors at one moment, weights included. Null where the contender does not let it be known. */
  readonly bytes: number | null;
  /** `bytes` without the weights: what grows with the number of tokens. */
  readonly activationBytes: number | null;
  /** Measured repetitions, after the warm-up; 0 means that the warm-up itself was counted for want of time. */
  readonly runs: number;
  /** What was really computed: the case at its own size, or a smaller piece of work. */
  readonly work: string;
  /** Largest absolute difference from what `ours` computed. */
  readonly difference: number | null;
  /** Of the GFLOP/s of the best product of two matrices on the same adapter. */
  readonly share: number | null;
  readonly note?: string;
}

export interface Milliseconds {
  readonly median: number | null;
  readonly min: number | null;
  readonly max: number | null;
}

export const NOT_RUN: Milliseconds = { median: null, min: null, max: null };

/** Of an even number of samples the mean of the middle two. */
export function summarize(samples: readonly number[]): Milliseconds {
  if (samples.length === 0) return NOT_RUN;
  const sorted = samples.toSorted((a, b) => a - b);
  const middle = sorted.length / 2;
  const [low = Number.NaN, high = Number.NaN] = [sorted[Math.ceil(middle) - 1], sorted[Math.floor(middle)]];
  return { median: (low + high) / 2, min: sorted[0] ?? null, max: sorted.at(-1) ?? null };
}

/** Of the row's median, or null. */
export const medianOf = (row: Row | undefined): number | null => row?.ms.median ?? null;
