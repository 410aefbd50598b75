/** All cases of one backend, in order, as rows. Runs wherever tfjs does: in Node, or in a worker of the bench's page. */
import * as tf from '@tensorflow/tfjs-core';
import { decodeCase } from './cases/decode';
import { firstStepCase } from './cases/firstStep';
import { forwardCase } from './cases/forward';
import { generateCase } from './cases/generate';
import { bestMatmul } from './cases/matmul';
import type { Bench } from './contest';
import type { Ort } from './onnx/session';
import type { BenchBackend, CaseName, ContenderName, Row } from './rows';
import { SIZES, type Size } from './sizes';
import { type ReadFile, storedModel } from './weights';

/** What is asked for on the command line; travels to the page as it is. */
export interface SuiteOptions {
  readonly backend: BenchBackend;
  /** Empty: all of them. */
  readonly cases: readonly CaseName[];
  readonly contenders: readonly ContenderName[];
  /** `auto`: `software` on software adapters and on cpu, `full` elsewhere. */
  readonly size: Size['name'] | 'auto';
  /** Seconds that one contender may take for one case. */
  readonly budget: number;
  readonly mostRuns: number;
  /** Seconds that a single run may be expected to take. */
  readonly patience: number;
  /** What rows count: time on the wall, or of this process's processors (Node; right for ratios on a busy machine). */
  readonly clock: 'wall' | 'processor';
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

/** Software adapters known by name. */
export const isSoftware = (adapter: string): boolean =>
  /swiftshader|llvmpipe|lavapipe|basic render|softpipe|software/i.test(adapter);

export async function runSuite(options: SuiteOptions, host: Host): Promise<void> {
  const { backend, threads, adapter } = { backend: options.backend, ...(await host.prepare(options)) };
  const stored = await storedModel(host.readFile);
  const clock = options.clock === 'processor' ? host.processorTime : undefined;
  const unit = adapter ?? `${threads} thread${threads === 1 ? '' : 's'}`;
  const name = clock ? `${unit}, processor time` : unit;
  const slow = backend === 'cpu' || (backend === 'webgpu' && isSoftware(name));
  const size = SIZES[options.size === 'auto' ? (slow ? 'software' : 'full') : options.size];
  const bench: Omit<Bench, 'best'> = {
    backend,
    adapter: name,
    size,
    effort: {
      milliseconds: options.budget * 1000,
      patience: options.patience * 1000,
      mostRuns: options.mostRuns,
      ...(clock ? { clock } : {}),
    },
    paces: new Map(),
    stored,
    ort: await ortOrReason(backend, threads, host),
    wants: (contender) => options.contenders.length === 0 || options.contenders.includes(contender),
    log: host.log,
  };
  const wanted = (one: CaseName): boolean => options.cases.length === 0 || options.cases.includes(one);
  host.log(`${backend} (${name}), ${size.name} size, ${stored.name}`);
  const step = async (one: CaseName, run: () => Promise<Row[]>): Promise<void> => {
    if (!wanted(one)) return;
    const before = tf.memory().numTensors;
    host.report(await run());
    const left = tf.memory().numTensors - before;
    if (left !== 0) host.log(`${one} left ${left} tensors behind`);
  };
  await step('first-step', () => firstStepCase({ ...bench, best: null }));
  const best = await bestMatmul(bench);
  host.log(`best product of two matrices: ${best?.toFixed(2) ?? 'unknown'} GFLOP/s`);
  const informed: Bench = { ...bench, best };
  for (const tokens of [1024, 2048, 4096, 8192] as const) {
    await step(`forward-${tokens}`, () => forwardCase(informed, tokens));
  }
  for (const frames of [16, 64, 128] as const) {
    await step(`decode-${frames}`, () => decodeCase(informed, frames));
  }
  await step('generate-64', () => generateCase(informed));
}

async function ortOrReason(backend: BenchBackend, threads: number, host: Host): Promise<Ort | string> {
  if (backend === 'cpu') return "onnxruntime-web has no plain-JavaScript backend to compare tfjs's with";
  try {
    return await host.loadOrt(backend, threads);
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
