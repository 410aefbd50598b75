/**
 * `npm run bench` (or `npm run bench -- wasm`): milliseconds and GFLOP/s of one forward pass and one decode on every backend that this machine has
 * in Node: cpu, wasm (SIMD, one thread) and WebGPU (npm package `webgpu`, on the Vulkan driver that is found).
 * Backends that would take minutes get a smaller piece of work; the table says which. The middle of the repetitions counts.
 */
import * as tf from '@tensorflow/tfjs-core';
import type { Extent3 } from '../src/config/model';
import {
  adapterInUse,
  switchBackend,
  TEST_BACKENDS,
  type TestBackend,
} from '../src/kernels/testing/backends';
import { lookUp } from '../src/model/codebook';
import { readDecoder, runDecoder } from '../src/model/decoder';
import { readTransformer, runTransformer, type TokenSets } from '../src/model/transformer';
import { decoderFlops, transformerFlops } from './flops';
import { type BenchModel, benchModel } from './model';

interface Row {
  readonly backend: string;
  readonly work: string;
  readonly flops: number;
  readonly time: Time;
}

/** Milliseconds on the clock, and of processor time: on a busy machine the second says more. */
interface Time {
  readonly clock: number;
  readonly processor: number;
}

/** How much is decoded and how often everything is run: what a backend manages in about half a minute. */
interface Effort {
  readonly repetitions: number;
  readonly grid: (full: Extent3) => Extent3;
  /** Part of the tokens in the forward pass. */
  readonly tokens: number;
}

const FULL: Effort = { repetitions: 5, grid: (full) => full, tokens: 1 };
const TINY: Effort = {
  repetitions: 1,
  grid: ([, h, w]) => [1, Math.min(h, 4), Math.min(w, 4)],
  tokens: 1 / 16,
};

function effortOf(backend: TestBackend): Effort {
  if (backend === 'wasm') return FULL;
  if (backend === 'cpu') return TINY;
  return /swiftshader|llvmpipe/i.test(adapterInUse() ?? '') ? TINY : FULL;
}

/** The middle of the times of `repetitions` runs, after one that is not counted. */
async function time(run: () => tf.Tensor, repetitions: number): Promise<Time> {
  const times: Time[] = [];
  for (let i = 0; i <= repetitions; i++) {
    const start = performance.now();
    const before = process.cpuUsage();
    const result = run();
    await result.data();
    const { user, system } = process.cpuUsage(before);
    times.push({ clock: performance.now() - start, processor: (user + system) / 1000 });
    result.dispose();
  }
  const counted = times.slice(1).sort((a, b) => a.clock - b.clock);
  return counted[Math.floor(counted.length / 2)] ?? { clock: Number.NaN, processor: Number.NaN };
}

/** Half of the tokens known, half predicted, in an order that mixes the grid. */
function halfKnown(tokens: number, vocabulary: number): TokenSets {
  const order = Int32Array.from({ length: tokens }, (_, i) => i).sort(
    (a, b) => ((a * 997) % 8191) - ((b * 997) % 8191),
  );
  return {
    tokens: Int32Array.from({ length: tokens }, (_, i) => (i * 7) % vocabulary),
    context: order.slice(0, tokens / 2),
    target: order.slice(tokens / 2),
  };
}

async function measure(backend: TestBackend, { config, reader }: BenchModel): Promise<Row[]> {
  const { repetitions, grid: shrink, tokens: part } = effortOf(backend);
  const name = backend === 'webgpu' ? `webgpu (${adapterInUse() ?? 'unnamed'})` : backend;
  const read = reader();
  const transformer = readTransformer(config.transformer, read);
  const decoder = readDecoder(config.tokenizer, read);
  try {
    const full = config.grid[0] * config.grid[1] * config.grid[2];
    const sets = halfKnown(Math.max(2, Math.round((full * part) / 2) * 2), config.transformer.vocabulary);
    const forward = await time(() => runTransformer(transformer, sets), repetitions);

    const grid = shrink(config.grid);
    const ids = Int32Array.from(
      { length: grid[0] * grid[1] * grid[2] },
      (_, i) => i % config.tokenizer.codes,
    );
    const latents = lookUp(decoder.codebook, ids, grid);
    const decode = await time(() => runDecoder(decoder, latents), repetitions);
    latents.dispose();
    const [contexts, targets] = [sets.context.length, sets.target.length];
    return [
      {
        backend: name,
        work: `forward, ${contexts} context + ${targets} target tokens`,
        flops: transformerFlops(config.transformer, contexts, targets),
        time: forward,
      },
      {
        backend: name,
        work: `decode, ${grid.join('×')} tokens`,
        flops: decoderFlops(decoder, grid),
        time: decode,
      },
    ];
  } finally {
    tf.dispose([transformer, decoder] as unknown as tf.TensorContainer);
  }
}

const model = await benchModel();
console.log(`${model.name}, Node ${process.version}, one thread`);
const rows: Row[] = [];
const asked = process.argv.slice(2);
for (const backend of TEST_BACKENDS) {
  if (asked.length > 0 && !asked.includes(backend)) continue;
  if (await switchBackend(backend)) rows.push(...(await measure(backend, model)));
  else console.log(`${backend}: not on this machine`);
}
console.table(
  rows.map(({ backend, work, flops, time: { clock, processor } }) => ({
    backend,
    work,
    GFLOP: (flops / 1e9).toFixed(2),
    ms: clock.toFixed(0),
    'processor ms': processor.toFixed(0),
    'GFLOP/s': (flops / 1e6 / clock).toFixed(2),
  })),
);
process.exit(0); // Dawn's threads would keep the process alive.
