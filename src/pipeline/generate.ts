/**
 * One generation, from a seed to pixels: tokens, latents, frames. The only place that knows the whole order. How
 * tokens are sampled, predicted and decoded is elsewhere (sampling, model).
 */
import type * as tf from '@tensorflow/tfjs-core';
import type { GenerationOptions } from '../config/generation';
import { downsampleOf, type Extent3, lengthsOf } from '../config/model';
import { lastingOf, readScene, type Scene } from '../config/scene';
import { lookUp } from '../model/codebook';
import { decodeInChunks } from '../model/decodeInChunks';
import { tellScene } from '../model/transformer';
import { CounterNoise } from '../sampling/random';
import { drawScene } from '../sampling/scene';
import { sampleClip, type Window } from '../sampling/windows';
import type { ClipData, StepSummary } from '../worker/protocol';
import type { Engine } from './engine';
import { writePixels } from './frames';
import { nextTask } from './nextTask';
import { predictorOf } from './predict';

/** What the clip will be of, every step, the decoder's progress, and the clip as the last event. */
export type GenerationEvent =
  /** First, and of models that are told. */
  | { readonly type: 'scene'; readonly scene: Scene }
  | { readonly type: 'step'; readonly summary: StepSummary }
  /** In latent frames. */
  | { readonly type: 'decodeProgress'; readonly done: number; readonly total: number }
  | { readonly type: 'clip'; readonly clip: ClipData; readonly milliseconds: number };

/**
 * Gives the event loop a turn after each step, so that a cancellation can arrive; it is looked at before the next.
 * Leaves no tensor behind, however it ends.
 * @throws RangeError for a length that the model cannot make; the signal's reason once aborted
 */
export async function* generate(
  engine: Engine,
  options: GenerationOptions,
  signal?: AbortSignal,
): AsyncGenerator<GenerationEvent, void, undefined> {
  const began = performance.now();
  const grid = gridFor(engine, options.frames);
  let tokens: Int32Array = new Int32Array(0);
  const scene = sceneOf(engine, options);
  if (scene) yield { type: 'scene', scene };
  const longest = engine.manifest.model.grid[0];
  const told = tellWindows(engine, scene ?? {}, grid);
  const first = predictorOf(told.first);
  const later = told.later === told.first ? first : predictorOf(told.later);
  try {
    const predictIn = ({ known }: Window) => {
      if (known === 0) return first.predict;
      if (later !== first) first.dispose();
      return later.predict;
    };
    const request = { options, grid, longest, predictIn, ...(signal ? { signal } : {}) };
    for await (const summary of sampleClip(request)) {
      tokens = summary.tokens;
      yield { type: 'step', summary };
      await nextTask();
      signal?.throwIfAborted();
    }
  } finally {
    first.dispose();
    later.dispose();
    told.first.told?.dispose();
    told.later.told?.dispose();
  }
  const clip = emptyClip(engine, grid);
  for await (const { done, total } of decodeInto(clip, engine, tokens, grid)) {
    yield { type: 'decodeProgress', done, total };
    await nextTask();
    signal?.throwIfAborted();
  }
  yield { type: 'clip', clip, milliseconds: performance.now() - began };
}

/**
 * The transformer as it is told of the first window of a clip of T'×H'×W', and of later ones: how those begin they know,
 * and how they end is open. Of a clip that has one window both are the same. Free their `told`, where they have one.
 */
export function tellWindows(
  { transformer, manifest: { model } }: Pick<Engine, 'transformer' | 'manifest'>,
  scene: Scene,
  [latentFrames, rows, columns]: Extent3,
) {
  const longest = model.grid[0];
  const window: Extent3 = [Math.min(longest, latentFrames), rows, columns];
  const first = tellScene(transformer, scene, window);
  if (latentFrames <= longest) return { first, later: first };
  return { first, later: tellScene(transformer, lastingOf(transformer.config.traits ?? [], scene), window) };
}

/** What a clip with these options is of; null where the model is told nothing. */
export function sceneOf(
  { manifest }: Pick<Engine, 'manifest'>,
  { scene, seed }: GenerationOptions,
): Scene | null {
  const { traits } = manifest.model.transformer;
  return traits ? drawScene(traits, readScene(traits, scene).chosen, new CounterNoise(seed)) : null;
}

/** T'×H'×W' of a clip of this many frames. */
export function gridFor({ manifest }: Engine, frames: number): Extent3 {
  const [, rows, columns] = manifest.model.grid;
  const { framesPerLatent, mostFrames } = lengthsOf(manifest.model);
  const latentFrames = frames / framesPerLatent;
  if (!Number.isInteger(latentFrames) || frames < framesPerLatent || frames > mostFrames) {
    throw new RangeError(
      `${manifest.name} makes clips of ${framesPerLatent} to ${mostFrames} frames, in steps of ${framesPerLatent}; ${frames} were asked for. Change the length.`,
    );
  }
  return [latentFrames, rows, columns];
}

function emptyClip({ manifest: { model } }: Engine, grid: Extent3): ClipData {
  const [t, h, w] = downsampleOf(model.tokenizer);
  const [frames, height, width] = [grid[0] * t, grid[1] * h, grid[2] * w];
  const pixels = new Uint8ClampedArray(frames * height * width * 4);
  return { pixels, frames, height, width, frameRate: model.frameRate };
}

/** Decodes a finished token grid into the clip's pixels, chunk by chunk along time. */
async function* decodeInto(
  clip: ClipData,
  { decoder }: Engine,
  tokens: Int32Array,
  grid: Extent3,
): AsyncGenerator<{ done: number; total: number }, void, undefined> {
  const latents: tf.Tensor5D = lookUp(decoder.codebook, tokens, grid); // [1, T', H', W', D]
  try {
    for await (const { firstFrame, frames, done, total } of decodeInChunks(decoder, latents)) {
      try {
        writePixels(await frames.data<'float32'>(), clip.pixels, firstFrame * clip.height * clip.width);
      } finally {
        frames.dispose();
      }
      yield { done, total };
    }
  } finally {
    latents.dispose();
  }
}
