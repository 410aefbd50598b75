/**
 * Runs the suite in Node, one process a backend: cpu, wasm on one thread (tfjs has no others there), WebGPU through Dawn.
 * Bundled by bundle.ts; speaks to main.ts by lines of JSON on standard output. Options are JSON in the first argument;
 * what is left out is as here, so that the bundle alone measures WebGPU: `node bench.cjs > rows.jsonl`, which
 * `npm run bench -- --from rows.jsonl` reads.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { adapterInUse, gpuFailures, switchBackend } from '../../../src/kernels/testing/backends';
import type { Ort } from '../../onnx/session';
import { type Host, runSuite, type SuiteOptions } from '../../suite';
import type { Message } from '../message';

const send = (message: Message): void => {
  process.stdout.write(`${JSON.stringify(message)}\n`);
};

const DEFAULTS: SuiteOptions = {
  backend: 'webgpu',
  cases: [],
  contenders: [],
  quick: false,
  limits: { budget: 5, patience: 20, seconds: 480 },
  mostRuns: 7,
  clock: 'wall',
  float16: true,
};

/** Weights lie beside the bundle. */
const host: Host = {
  prepare: async ({ backend, float16 }) => {
    if (!(await switchBackend(backend, { float16 }))) throw new Error(`${backend} is not on this machine`);
    const adapter = backend === 'webgpu' ? adapterInUse() : undefined;
    return { threads: 1, ...(adapter === undefined ? {} : { adapter }) };
  },
  loadOrt: async (backend): Promise<Ort> => {
    if (backend === 'webgpu') throw new Error('onnxruntime-web has no WebGPU in Node; run in Chromium');
    const module = await import('onnxruntime-web');
    module.env.wasm.numThreads = 1;
    return { module, provider: 'wasm' };
  },
  readFile: async (file) => new Uint8Array(await readFile(join(__dirname, 'weights', file))).buffer,
  processorTime: () => {
    const { user, system } = process.cpuUsage();
    return (user + system) / 1000;
  },
  log: (line) => send({ type: 'log', line }),
  report: (rows) => {
    const [failure] = gpuFailures;
    if (failure) throw new Error(`WebGPU failed: ${failure}`);
    send({ type: 'rows', rows });
  },
};

async function run(): Promise<void> {
  const options = { ...DEFAULTS, ...(JSON.parse(process.argv[2] ?? '{}') as Partial<SuiteOptions>) };
  try {
    await runSuite(options, host);
    send({ type: 'done' });
  } catch (error) {
    send({
      type: 'failed',
      message: error instanceof Error ? (error.stack ?? error.message) : String(error),
    });
  }
  process.exit(0); // Dawn's threads would keep the process alive.
}

void run();
