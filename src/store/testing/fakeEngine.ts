/**
 * An engine of the client's shape that plays a believable generation from procedurally drawn skies. For unit
 * tests of the store and for looking at the page without weights; no product code imports it.
 */
import {
  type ComparisonEnd,
  type ComparisonEvent,
  type ComparisonPoint,
  FAMILIES,
  type Family,
  growthOf,
} from '../../config/comparison';
import type { GenerationOptions } from '../../config/generation';
import type { GenerationEvent } from '../../worker/client';
import type {
  BackendName,
  BackendSummary,
  ClipData,
  ModelSummary,
  PreviewTable,
  StepSummary,
} from '../../worker/protocol';
import type { Engine } from '../context';

export interface FakeTimes {
  /** Milliseconds. */
  readonly load: number;
  readonly step: number;
  readonly decode: number;
}

const SIDE = 64;
const PATCH = 4;
const CELLS = SIDE / PATCH;
const DOWNSAMPLE = [4, PATCH, PATCH] as const;
const TOTAL_BYTES = 12_940_000;

export const FAKE_MEMORY = {
  weights: 40e6,
  peak: 61e6,
  peakFrames: 64,
  limit: 3.9e9,
  frames: 512,
  problem: null,
} as const;

export const FAKE_CONFIG: ModelSummary['config'] = {
  transformer: {
    width: 8,
    heads: 1,
    latentTokens: 4,
    vocabulary: 1024,
    positions: 4096,
    modes: ['latent_enc'],
  },
  tokenizer: {
    codes: 1024,
    codeWidth: 8,
    norm: 'affine',
    decoder: [{ channels: 8, stride: DOWNSAMPLE, residualBlocks: 0 }],
  },
  grid: [16, CELLS, CELLS],
  frameRate: 16,
  sampling: {},
};

/** A sky of colour bands, a sun, two sheets of cloud and hills; [0, 1] RGB at a point of the picture and time. */
export function skyAt(x: number, y: number, t: number, seed: number): [number, number, number] {
  const dusk = 0.5 + 0.5 * Math.sin(seed * 1.7 + t * 1.2);
  const hill = 0.86 + 0.03 * Math.sin(7 * x + seed) + 0.02 * Math.sin(17 * x + seed * 2);
  const ground = [0.07 + 0.05 * dusk, 0.09 + 0.06 * dusk, 0.08 + 0.05 * dusk] as const;
  const land = Math.min(1, Math.max(0, (y - hill) * 64 + 0.5));
  const low = Math.exp(-(0.9 - y) * 3.2);
  const base: [number, number, number] = [
    0.16 + 0.2 * dusk + low * (0.75 - 0.1 * dusk),
    0.24 + 0.3 * dusk + low * 0.42,
    0.42 + 0.4 * dusk + low * (0.02 + 0.2 * dusk),
  ];
  const far = 1 / (1.05 - y);
  const wave = (k: number, p: number) =>
    Math.sin(k * (x - 0.5) * far + p) * Math.cos(k * 0.8 * far + p * 1.3);
  const cloud = Math.max(
    0,
    wave(3, seed + t * 0.9) + 0.6 * wave(7, seed * 3 - t) + 0.35 * wave(15, t * 1.4) - 0.15,
  );
  const cover = Math.min(0.85, cloud * 0.9);
  const lit = [0.95, 0.86 - 0.15 * low * (1 - dusk), 0.8 - 0.2 * (1 - dusk)] as const;
  const sun = Math.exp(-((x - 0.62) ** 2 + (y - 0.72 + 0.12 * t) ** 2) * 160);
  const sky = (c: 0 | 1 | 2) =>
    Math.min(1, base[c] * (1 - cover) + lit[c] * cover * (0.5 + 0.5 * dusk) + sun);
  const mix = (c: 0 | 1 | 2) => sky(c) * (1 - land) + ground[c] * land;
  return [mix(0), mix(1), mix(2)];
}

/** Code of a colour: 3 bits red and blue, 4 bits green. */
function codeOf([r, g, b]: readonly [number, number, number]): number {
  const level = (v: number, bits: number) => Math.min(2 ** bits - 1, Math.floor(v * 2 ** bits));
  return (level(r, 3) << 7) | (level(g, 4) << 3) | level(b, 3);
}

/** [0, 1), without a pattern that the eye finds. */
function hash(n: number): number {
  let h = Math.imul(n ^ (n >>> 16) ^ 0x9e3779b9, 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return ((h ^ (h >>> 16)) >>> 0) / 2 ** 32;
}

function fakeTable(): PreviewTable {
  const pixels = new Uint8Array(1024 * PATCH * PATCH * 3);
  for (let code = 0; code < 1024; code++) {
    for (let i = 0; i < PATCH * PATCH; i++) {
      const tilt = (Math.floor(i / PATCH) - 1.5) * 3;
      pixels.set(
        [((code >> 7) + 0.5) * 32 + tilt, (((code >> 3) & 15) + 0.5) * 16, ((code & 7) + 0.5) * 32 - tilt],
        (code * PATCH * PATCH + i) * 3,
      );
    }
  }
  return { patch: PATCH, pixels };
}

export function fakeModel(): ModelSummary {
  return {
    name: 'sky-64',
    license: 'MIT',
    parameters: 10_012_345,
    bytes: TOTAL_BYTES,
    memory: FAKE_MEMORY,
    config: FAKE_CONFIG,
    downsample: DOWNSAMPLE,
    preview: fakeTable(),
  };
}

export function fakeClip(frames: number, seed: number): ClipData {
  const pixels = new Uint8ClampedArray(frames * SIDE * SIDE * 4);
  for (let i = 0; i < frames * SIDE * SIDE; i++) {
    const t = Math.floor(i / (SIDE * SIDE));
    const [r, g, b] = skyAt((i % SIDE) / SIDE, (Math.floor(i / SIDE) % SIDE) / SIDE, t / 64, seed);
    pixels.set([r * 255, g * 255, b * 255, 255], i * 4);
  }
  return { pixels, frames, width: SIDE, height: SIDE, frameRate: FAKE_CONFIG.frameRate };
}

/** Tokens in a fixed pseudo-random order, a cosine's share of them after each step. */
function fakeStep(options: GenerationOptions, step: number, milliseconds: number): StepSummary {
  const grid = [options.frames / DOWNSAMPLE[0], CELLS, CELLS] as const;
  const positions = grid[0] * CELLS * CELLS;
  const known = 1 - Math.cos(((step / options.steps) * Math.PI) / 2);
  const tokens = new Int32Array(positions);
  const fixed = new Uint8Array(positions);
  for (let n = 0; n < positions; n++) {
    const rank = hash(n);
    const row = (Math.floor(n / CELLS) % CELLS) / CELLS;
    fixed[n] = step === options.steps || rank * 0.8 + 0.2 * (1 - row) < known ? 1 : 0;
    const t = (Math.floor(n / CELLS ** 2) * DOWNSAMPLE[0]) / 64;
    tokens[n] = codeOf(skyAt(((n % CELLS) + 0.5) / CELLS, row + 0.5 / CELLS, t, options.seed));
  }
  return { phase: 'draft', step, steps: options.steps, tokens, fixed, grid, milliseconds };
}

/** Times and bytes of a believable machine: linear, quadratic, and linear steps of a growing cache. */
function fakePoint(family: Family, tokens: number): ComparisonPoint {
  const n = tokens / 1024;
  const [milliseconds, bytes] = {
    mebt: [40 + 130 * n, 12e6 * n],
    dense: [30 + 700 * n + 900 * n * n, 42e6 * n],
    autoregressive: [tokens * (9 + 1.5 * n), 26e6 * n],
  }[family] as [number, number];
  const extrapolated = family === 'autoregressive';
  return { family, tokens, milliseconds, bytes, runs: extrapolated ? 16 : 3, extrapolated };
}

function fakeBackend(backend: BackendName = 'wasm', cpuCores: number): BackendSummary {
  const reason = 'No hardware WebGPU adapter was found, so WebAssembly is used.';
  return { backend, reason, threads: cpuCores };
}

export function createFakeEngine(times: FakeTimes, cpuCores = 2): Engine {
  return {
    prepare: async ({ backend }) => fakeBackend(backend, cpuCores),
    async load(_url, { backend, onBackend, onProgress, signal } = {}) {
      onBackend?.(fakeBackend(backend, cpuCores));
      for (let i = 0; i <= 40; i++) {
        onProgress?.({ loadedBytes: (TOTAL_BYTES * i) / 40, totalBytes: TOTAL_BYTES, fromCache: false });
        await pause(times.load / 40, signal);
      }
      return fakeModel();
    },
    async *generate(options, signal): AsyncGenerator<GenerationEvent, void> {
      const start = performance.now();
      for (let step = 1; step <= options.steps; step++) {
        await pause(times.step, signal);
        yield { type: 'step', summary: fakeStep(options, step, times.step) };
      }
      const total = options.frames / DOWNSAMPLE[0];
      for (let done = 1; done <= total; done++) {
        await pause(times.decode / total, signal);
        yield { type: 'decodeProgress', done, total };
      }
      yield {
        type: 'clip',
        clip: fakeClip(options.frames, options.seed),
        milliseconds: performance.now() - start,
        flops: 2e11,
      };
    },
    async *compare({ sizes, budget }, signal): AsyncGenerator<ComparisonEvent, void> {
      const points: ComparisonPoint[] = [];
      for (const tokens of sizes) {
        for (const family of FAMILIES) {
          if (family === 'dense' && tokens > 2048) continue;
          yield { type: 'measuring', family, tokens, spent: (budget * points.length) / 16 };
          await pause(times.step, signal);
          const point = fakePoint(family, tokens);
          points.push(point);
          yield { type: 'point', point };
        }
      }
      const summary = (family: Family, end: ComparisonEnd) => ({
        end,
        growth: growthOf(points.filter((point) => point.family === family)),
      });
      yield {
        type: 'summary',
        families: {
          mebt: summary('mebt', 'largest'),
          dense: summary('dense', 'time'),
          autoregressive: summary('autoregressive', 'largest'),
        },
      };
    },
    async encode(format, clip, { onProgress, signal } = {}) {
      for (let frame = 1; frame <= clip.frames; frame++) {
        await pause(1, signal);
        onProgress?.(frame, clip.frames);
      }
      return { file: new Blob([format]), extension: format, codec: 'fake' };
    },
    formats: async () => ['mp4', 'webm', 'gif'],
  };
}

function pause(milliseconds: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const stop = () => reject(new DOMException('Stopped.', 'AbortError'));
    if (signal?.aborted) return stop();
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', stop);
      resolve();
    }, milliseconds);
    signal?.addEventListener(
      'abort',
      () => {
        clearTimeout(timer);
        stop();
      },
      { once: true },
    );
  });
}
