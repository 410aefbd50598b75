/** What a measurement is: names, one row, and the statistics of its samples. JSON of the rows is the bench's product. */

/**
 * In the order of a report. `forward-128` and `decode-16-small` are probes, by which the others are judged; `narrow-…` are
 * real numbers of tokens at a smaller width, for adapters that are too slow for the model itself (sizes.ts).
 */
export const CASES = [
  'first-step',
  'forward-128',
  'forward-1024',
  'forward-2048',
  'forward-4096',
  'forward-8192',
  'narrow-1024',
  'narrow-2048',
  'narrow-4096',
  'narrow-8192',
  'official-8192',
  'decode-16-small',
  'decode-16',
  'decode-64',
  'decode-128',
  'generate-64',
  'narrow-generate-64',
  'generations-20',
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
  /** ms that a run was expected to take, where it was not run for want of time. */
  readonly estimate?: number;
  /** What stayed behind after all runs: tensors and their bytes. */
  readonly growth?: { readonly tensors: number; readonly bytes: number };
  /** Day of the measurement, YYYY-MM-DD. */
  readonly date?: string;
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

/** Software adapters known by name. */
export const isSoftware = (adapter: string): boolean =>
  /swiftshader|llvmpipe|lavapipe|basic render|softpipe|software/i.test(adapter);
