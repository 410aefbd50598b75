/** Which backends a run visits, with how many threads, and how its time is divided among them. */
import type { BenchOptions } from './options';
import type { BenchBackend, CaseName, ContenderName } from './rows';
import type { SuiteOptions } from './suite';

/** One backend, one process or page. */
export interface BackendPass {
  readonly backend: BenchBackend;
  /** wasm; the page's own choice when left out. */
  readonly threads?: number;
  /** Only these of the cases that were asked for. */
  readonly cases?: readonly CaseName[];
  /** Only these contenders. */
  readonly contenders?: readonly ContenderName[];
  /** Share of the time, against those of the passes that are still to come. */
  readonly share: number;
}

const SHARES: Readonly<Record<BenchBackend, number>> = { webgpu: 7.5, wasm: 5.3, cpu: 1.2 };
const SHARE_OF_THREADS = 1;
/** What is measured again with another number of threads. */
const THREADED_CONTENDERS = ['ours', 'onnxruntime-web'] as const satisfies readonly ContenderName[];
const THREADED: readonly CaseName[] = [
  'forward-128',
  'forward-1024',
  'forward-8192',
  'decode-16',
  'decode-64',
];
/** tfjs's wasm module never starts more; the page leaves a core free (src/worker/backend.ts). */
const MOST_THREADS = 4;

/** In a browser of `cores` cores wasm has a second pass, where the page would use one thread with several, and else with one. */
export function passesOf(options: BenchOptions, cores: number): BackendPass[] {
  const { backends, runtime, suite } = options;
  const passes: BackendPass[] = backends.map((backend) => ({
    backend,
    share: SHARES[backend],
    ...(backend === 'wasm' && suite.threads !== undefined ? { threads: suite.threads } : {}),
  }));
  const others = Math.min(MOST_THREADS, cores) > 1 && suite.threads === undefined && runtime === 'chromium';
  const wanted = THREADED.filter((one) => suite.cases.length === 0 || suite.cases.includes(one));
  const place = passes.findIndex(({ backend }) => backend === 'wasm');
  const contenders = THREADED_CONTENDERS.filter(
    (one) => suite.contenders.length === 0 || suite.contenders.includes(one),
  );
  if (!others || place < 0 || wanted.length === 0 || contenders.length === 0) return passes;
  const threads = cores - 1 > 1 ? 1 : Math.min(MOST_THREADS, cores);
  const again: BackendPass = { backend: 'wasm', threads, cases: wanted, contenders, share: SHARE_OF_THREADS };
  return passes.toSpliced(place + 1, 0, again);
}

/** What is left of a pass's time where others took more than theirs. */
const LEAST_OF_SHARE = 0.6;

/** What a pass is told when it begins, `spent` seconds after the run began: time that others left is its own, too. */
export function suiteOptionsOf(
  { suite, minutes }: BenchOptions,
  passes: readonly BackendPass[],
  place: number,
  spent: number,
): SuiteOptions {
  const pass = passes[place];
  if (!pass) throw new RangeError(`suiteOptionsOf: there is no pass ${place}.`);
  const sharesOf = (some: readonly BackendPass[]): number => some.reduce((sum, { share }) => sum + share, 0);
  let seconds: number | null = null;
  if (minutes !== null) {
    const left = ((60 * minutes - spent) * pass.share) / sharesOf(passes.slice(place));
    seconds = Math.max(left, (LEAST_OF_SHARE * 60 * minutes * pass.share) / sharesOf(passes));
  }
  return {
    ...suite,
    backend: pass.backend,
    ...(pass.threads === undefined ? {} : { threads: pass.threads }),
    ...(pass.cases ? { cases: pass.cases } : {}),
    ...(pass.contenders ? { contenders: pass.contenders } : {}),
    limits: { ...suite.limits, seconds },
  };
}
