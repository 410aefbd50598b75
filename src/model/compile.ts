/**
 * Compiles what a generation will need on WebGPU before it begins: programs come in variants by the number of rows, so
 * passes of every order of magnitude are gone through without computing. Nothing on other backends.
 */
import * as tf from '@tensorflow/tfjs-core';
import type { Extent3 } from '../config/model';
import { compileAhead, freeUnusedGpuMemory } from '../kernels/gpu';
import { lookUp } from './codebook';
import { decodeInChunks } from './decodeInChunks';
import type { DecoderParameters } from './decoder';
import { drawTargets } from './predictCodes';
import { type TokenSets, type TransformerParameters, tellScene } from './transformer';

/** Chunks of a clip that differ from one another in what they read: first, inner and last ones. */
const CHUNKS = 4;

/** All settings have the same program. */
const ANY_DRAW = { scale: 1, topK: 0, topP: 1, seed: 0, step: 0 } as const;

/** All pipelines of transformer, draw and decoder for clips up to the grid T'×H'×W'; the device compiles them side by side. */
export async function compilePipelines(
  transformer: TransformerParameters,
  decoder: DecoderParameters,
  [time, height, width]: Extent3,
): Promise<void> {
  await compileAhead(async () => {
    const short = tellAnything(oneBlockAMode(transformer), [time, height, width]);
    const count = time * height * width;
    const guide = { unknowing: tf.zeros([count, transformer.config.width]) as tf.Tensor2D, weight: 1 };
    for (const sets of tokenSets(count)) {
      const guided = sets.context.length > 0 ? { guide } : {};
      tf.tidy(() => drawTargets(short, { ...sets, ...guided }, ANY_DRAW)).dispose();
      freeUnusedGpuMemory();
    }
    guide.unknowing.dispose();
    if (!transformer.config.modes.includes('maskgit')) {
      // tfjs' own programs go by whether a length divides into fours.
      for (const tokens of [count, count - 1]) {
        const sets = { ...oneOfMany(tokens), standsFor: 2 };
        tf.tidy(() => drawTargets(short, sets, ANY_DRAW)).dispose();
        freeUnusedGpuMemory();
      }
    }
    short.told?.dispose();
    const grid = [Math.min(time, CHUNKS), height, width] as const;
    const latents = lookUp(decoder.codebook, new Int32Array(grid[0] * height * width), grid);
    for await (const { frames } of decodeInChunks(decoder, latents)) frames.dispose();
    latents.dispose();
  });
}

/** Every scene has as many rows. */
function tellAnything(transformer: TransformerParameters, grid: Extent3): TransformerParameters {
  const { traits = [] } = transformer.config;
  const anything = Object.fromEntries(traits.map(({ name, values }) => [name, values[0] ?? '']));
  return tellScene(transformer, anything, grid);
}

/** Blocks of a mode have the same layers, and share their programs. */
function oneBlockAMode(transformer: TransformerParameters): TransformerParameters {
  const byMode = new Map(transformer.blocks.map((block) => [block.mode, block]));
  return { ...transformer, blocks: [...byMode.values()] };
}

/** 0, 1, 2, 4, … contexts with the rest as targets, the same the other way round, and one target cut from many. */
function* tokenSets(count: number): Generator<TokenSets> {
  const positions = Int32Array.from({ length: count }, (_, i) => i);
  const few = [0];
  for (let n = 1; n <= count / 2; n *= 2) few.push(n);
  const contexts = new Set([...few, ...few.map((n) => count - n)]);
  for (const n of contexts) {
    if (n === count) continue;
    yield { tokens: new Int32Array(count), context: positions.slice(0, n), target: positions.slice(n) };
  }
  yield oneOfMany(count);
}

function oneOfMany(count: number): TokenSets {
  const positions = Int32Array.from({ length: count }, (_, i) => i);
  const nothingKnown = { tokens: new Int32Array(count), context: positions.slice(0, 0) };
  return { ...nothingKnown, target: positions.slice(0, 1), masked: positions.slice(1) };
}
