/** All cases of one backend, in order, as rows. Runs wherever tfjs does: in Node, or in a worker of the bench's page. */
import * as tf from '@tensorflow/tfjs-core';
import { Allowance, type Limits } from './allowance';
import { decodeCase } from './cases/decode';
import { firstStepCase } from './cases/firstStep';
import { forwardCase, passContenders } from './cases/forward';
import { generateCase } from './cases/generate';
import { bestMatmul } from './cases/matmul';
import { officialCase } from './cases/official';
import { passOfCase } from './cases/pass';
import { repeatCase } from './cases/repeat';
import { type Bench, piecesOf } from './contest';
import type { Ort } from './onnx/session';
import { type BenchBackend, type CaseName, type ContenderName, isSoftware, type Row } from './rows';
import { type ReadFile, storedModel } from './weights';

/** What is asked for on the command line; travels to the page as it is. */
export interface SuiteOptions {
  readonly backend: BenchBackend;
  /** Empty: all of them. */
  readonly cases: readonly CaseName[];
  readonly contenders: readonly ContenderName[];
  /** Tiny shapes. */
  readonly quick: boolean;
  /** Infinity does not travel as JSON: null is no limit. */
  readonly limits: { readonly [name in keyof Limits]: number | null };
  readonly mostRuns: number;
  /** What rows count: time on the wall, or of this process's processors (Node; right for ratios on a busy machine). */
  readonly clock: 'wall' | 'processor';
  /** WebGPU may multiply in float16, where the adapter does. */
  readonly float16: boolean;
  /** wasm; the page's own choice when left out. */
  readonly threads?: number;
}

/** What differs between Node and a page. */
export interface Host {
  /** ms of processor time of all threads, where it can be known. */
  readonly processorTime?: () => number;
  /** Makes the backend tfjs's current one. Throws with a sentence where it cannot be had. */
  readonly prepare: (options: SuiteOptions) => Promise<Prepared>;
  /** onnxruntime-web for this backend. Throws with a sentence where it cannot be had. */
  readonly loadOrt: (backend: 'wasm' | 'webgpu', threads: number) => Promise<Ort>;
  readonly readFile: ReadFile;
  readonly log: (line: string) => void;
  readonly report: (rows: readonly Row[]) => void;
}

export interface Prepared {
  readonly threads: number;
  /** Name of the WebGPU adapter. */
  readonly adapter?: string;
}

/**
 * What may take long comes late, and what a target asks for comes before what it does not: where time runs out, the
 * rest is refused in the rows. Probes come first, as they tell what can be run.
 */
const ORDER: readonly CaseName[] = [
  'forward-128',
  'decode-16-small',
  'narrow-1024',
  'narrow-8192',
  'forward-1024',
  'decode-16',
  'narrow-generate-64',
  'generations-20',
  'forward-8192',
  'decode-64',
  'generate-64',
  'narrow-2048',
  'narrow-4096',
  'forward-2048',
  'decode-128',
  'forward-4096',
  'official-8192',
];

export async function runSuite(options: SuiteOptions, host: Host): Promise<void> {
  const { backend, threads, adapter } = { backend: options.backend, ...(await host.prepare(options)) };
  const stored = await storedModel(host.readFile);
  const clock = options.clock === 'processor' ? host.processorTime : undefined;
  const precision = backend === 'webgpu' && !options.float16 ? ', float16 off' : '';
  const unit = adapter ? `${adapter}${precision}` : `${threads} thread${threads === 1 ? '' : 's'}`;
  const name = clock ? `${unit}, processor time` : unit;
  const slow = backend === 'cpu' || (backend === 'webgpu' && isSoftware(name));
  const { budget, patience, seconds } = options.limits;
  const bench: Omit<Bench, 'best'> = {
    backend,
    adapter: name,
    quick: options.quick,
    allowance: new Allowance({
      budget: budget ?? Infinity,
      patience: patience ?? Infinity,
      seconds: seconds ?? Infinity,
    }),
    mostRuns: options.mostRuns,
    ...(clock ? { clock } : {}),
    stored,
    ort: await ortOrReason(backend, threads, host),
    wants: (contender) => options.contenders.length === 0 || options.contenders.includes(contender),
    log: host.log,
  };
  const asked = (one: CaseName): boolean => options.cases.length === 0 || options.cases.includes(one);
  host.log(`${backend} (${name}), ${stored.name}`);
  const step = async (run: () => Promise<Row[]>): Promise<void> => {
    const before = tf.memory().numTensors;
    const date = new Date().toISOString().slice(0, 10);
    const rows = await run();
    host.report(rows.map((row) => ({ ...row, date })));
    const left = tf.memory().numTensors - before;
    if (left !== 0) host.log(`${rows[0]?.case} left ${left} tensors behind`);
  };
  // Pipelines would be warm later.
  if (asked('first-step')) await step(() => firstStepCase({ ...bench, best: null }, slow));
  const best = await bestMatmul(bench, slow);
  host.log(`best product of two matrices: ${best?.toFixed(2) ?? 'unknown'} GFLOP/s`);
  const informed: Bench = { ...bench, best };
  for (const one of ORDER.filter(asked)) {
    if (isNeeded(informed, options, one)) await step(() => runCase(informed, one));
  }
}

/** The official size is asked of GPUs; the narrow network where the model itself would take too long, or by name. */
function isNeeded(bench: Bench, { cases, limits }: SuiteOptions, name: CaseName): boolean {
  if (name === 'official-8192') return bench.backend === 'webgpu' || cases.includes(name);
  if (!name.startsWith('narrow-') || cases.includes(name) || limits.patience === null || bench.quick)
    return true;
  const largest = passContenders(bench, passOfCase(bench, 'forward-8192'));
  return largest.some((one) => {
    const pieces = piecesOf('forward-8192', one);
    return bench.allowance.refusal(one.name, pieces, one.patience ?? 1) !== undefined;
  });
}

function runCase(bench: Bench, name: CaseName): Promise<Row[]> {
  if (name.startsWith('decode')) return decodeCase(bench, name);
  if (name === 'generations-20') return repeatCase(bench);
  if (name === 'official-8192') return officialCase(bench);
  if (name.includes('generate')) return generateCase(bench, name);
  return forwardCase(bench, name);
}

async function ortOrReason(backend: BenchBackend, threads: number, host: Host): Promise<Ort | string> {
  if (backend === 'cpu') return "onnxruntime-web has no plain-JavaScript backend to compare tfjs's with";
  try {
    return await host.loadOrt(backend, threads);
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
