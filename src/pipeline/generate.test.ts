import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { GenerationOptions } from '../config/generation';
import { parseManifest, StoredWeights } from '../loader';
import type { ClipData, StepSummary } from '../worker/protocol';
import { createEngine, type Engine } from './engine';
import { type GenerationEvent, generate, tellWindows } from './generate';
import { createTinyEngine } from './testing/tinyEngine';
import { packTinyModel, TOLD_MODEL } from './testing/tinyModel';

const OPTIONS: GenerationOptions = {
  seed: 7,
  frames: 16,
  steps: 4,
  bootstrap: 1,
  temperature: 1,
  choiceTemperature: 4,
  topK: 0,
  topP: 1,
  topPFrom: 0,
  guidance: 0,
  guidanceFrom: 0,
  schedule: 'cosine',
  order: 'confidence',
  targets: 0,
  scene: '',
  revisePasses: 1,
  reviseSteps: 2,
  reviseTemperature: 0.7,
};

let engine: Engine;
let before: number;

beforeAll(async () => {
  await tf.setBackend('cpu');
  before = tf.memory().numTensors;
  engine = await createTinyEngine();
});

afterAll(() => {
  engine.dispose();
  expect(tf.memory().numTensors).toBe(before);
});

async function collect(options: Partial<GenerationOptions> = {}, signal?: AbortSignal) {
  const events: GenerationEvent[] = [];
  for await (const event of generate(engine, { ...OPTIONS, ...options }, signal)) events.push(event);
  return events;
}

function clipOf(events: readonly GenerationEvent[]): ClipData {
  const last = events.at(-1);
  if (last?.type !== 'clip') throw new Error(`expected a clip as the last event, got ${last?.type}`);
  return last.clip;
}

const stepsOf = (events: readonly GenerationEvent[]): StepSummary[] =>
  events.flatMap((event) => (event.type === 'step' ? [event.summary] : []));

describe('createEngine', () => {
  it('paints every code with a patch of the preview map', () => {
    expect(engine.preview.patch).toBe(2);
    expect(engine.preview.pixels).toHaveLength(32 * 2 * 2 * 3);
    expect(new Set(engine.preview.pixels).size).toBeGreaterThan(20);
  });

  it('leaves nothing uploaded when a tensor is missing', async () => {
    const tensors = tf.memory().numTensors;
    const packed = packTinyModel();
    const manifest = await parseManifest(packed.manifest, 'test');
    const stored = new StoredWeights(
      {
        ...manifest,
        tensors: manifest.tensors.filter((entry) => entry.name !== 'tokenizer.decoder.output.bias'),
      },
      [...packed.files.values()].map((bytes) => bytes.buffer),
    );
    await expect(createEngine(manifest, stored)).rejects.toThrow('no tensor tokenizer.decoder.output.bias');
    expect(tf.memory().numTensors).toBe(tensors);
  });

  it('decodes the codes where a model brings no preview', async () => {
    const packed = packTinyModel();
    const manifest = await parseManifest(packed.manifest, 'test');
    const stored = new StoredWeights(
      manifest,
      [...packed.files.values()].map((bytes) => bytes.buffer),
    );
    const bare = {
      ...manifest,
      tensors: manifest.tensors.filter((entry) => !entry.name.startsWith('preview.')),
    };
    const other = await createEngine(bare, stored);
    expect(other.preview.patch).toBe(1);
    expect(new Set(other.preview.pixels).size).toBeGreaterThan(20);
    other.dispose();
  });
});

describe('generate', () => {
  it('yields every step, the decoder’s progress, and the clip last', async () => {
    const events = await collect();
    const steps = stepsOf(events);
    expect(steps.map(({ step }) => step)).toEqual(steps.map((_, i) => i + 1));
    expect(new Set(steps.map(({ steps: total }) => total))).toEqual(new Set([steps.length]));
    expect(new Set(steps.map(({ phase }) => phase))).toEqual(new Set(['bootstrap', 'draft', 'revise']));
    expect(steps.every(({ grid }) => grid.join() === '4,4,4')).toBe(true);
    const progress = events.flatMap((event) => (event.type === 'decodeProgress' ? [event] : []));
    expect(progress.at(-1)).toMatchObject({ done: 4, total: 4 });
    const clip = clipOf(events);
    expect([clip.frames, clip.height, clip.width, clip.frameRate]).toEqual([16, 16, 16, 16]);
    expect(clip.pixels).toHaveLength(16 * 16 * 16 * 4);
  });

  it('fills every pixel, opaque, in more than a few colours', async () => {
    const { pixels } = clipOf(await collect());
    const alpha = pixels.filter((_, i) => i % 4 === 3);
    expect(alpha.every((value) => value === 255)).toBe(true);
    expect(new Set(pixels).size).toBeGreaterThan(50);
    const lastFrame = pixels.subarray(-16 * 16 * 4);
    expect(new Set(lastFrame).size).toBeGreaterThan(20);
  });

  it('makes the same clip of a seed, bit for bit, and another of another seed', async () => {
    const first = clipOf(await collect());
    expect(clipOf(await collect()).pixels).toEqual(first.pixels);
    expect(clipOf(await collect({ seed: 8 })).pixels).not.toEqual(first.pixels);
  });

  it('continues a clip beyond the model’s own length', async () => {
    const tensors = tf.memory().numTensors;
    const events = await collect({ frames: 44 }); // the model holds 32
    const steps = stepsOf(events);
    expect(steps.every(({ grid }) => grid.join() === '11,4,4')).toBe(true);
    expect(steps.map(({ step }) => step)).toEqual(steps.map((_, i) => i + 1));
    expect(new Set(steps.map(({ steps: total }) => total))).toEqual(new Set([steps.length]));
    const { frames, pixels } = clipOf(events);
    expect(frames).toBe(44);
    expect(new Set(pixels.subarray(-16 * 16 * 4)).size).toBeGreaterThan(20);
    expect(tf.memory().numTensors).toBe(tensors);
  });

  it('keeps no tensor over repeated generations', async () => {
    const tensors = tf.memory().numTensors;
    await collect();
    await collect({ frames: 32 });
    expect(tf.memory().numTensors).toBe(tensors);
  });

  it.each([
    { events: 1, guidance: 0 },
    { events: 3, guidance: 0 },
    { events: 3, guidance: 1 },
  ])('stops within a step when aborted, and keeps no tensor: %o', async ({ events, guidance }) => {
    const tensors = tf.memory().numTensors;
    const controller = new AbortController();
    let seen = 0;
    const run = async () => {
      for await (const _ of generate(engine, { ...OPTIONS, guidance }, controller.signal)) {
        seen += 1;
        // As a message would: in a task of its own, while the generator waits.
        if (seen === events) setTimeout(() => controller.abort(new DOMException('Stopped.', 'AbortError')));
        if (seen >= events) await new Promise((resolve) => setTimeout(resolve, 2));
      }
    };
    await expect(run()).rejects.toMatchObject({ name: 'AbortError' });
    expect(seen).toBe(events);
    expect(tf.memory().numTensors).toBe(tensors);
  });

  it('keeps no tensor when the consumer leaves while frames are decoded', async () => {
    const tensors = tf.memory().numTensors;
    for await (const event of generate(engine, OPTIONS)) if (event.type === 'decodeProgress') break;
    expect(tf.memory().numTensors).toBe(tensors);
  });

  it('stresses what is known where guidance is asked for, and frees what it compares with', async () => {
    const tensors = tf.memory().numTensors;
    const plain = clipOf(await collect({ frames: 48 }));
    const guided = clipOf(await collect({ frames: 48, guidance: 2 }));
    expect(guided.pixels).not.toEqual(plain.pixels);
    expect(clipOf(await collect({ frames: 48, guidance: 2, guidanceFrom: 1, revisePasses: 0 }))).toEqual(
      clipOf(await collect({ frames: 48, revisePasses: 0 })),
    );
    expect(tf.memory().numTensors).toBe(tensors);
  });

  it('tells a model that can be told what the clip is of, and says so first', async () => {
    const tensors = tf.memory().numTensors;
    const told = await createTinyEngine(TOLD_MODEL);
    const run = async (scene: string) => {
      const events: GenerationEvent[] = [];
      for await (const event of generate(told, { ...OPTIONS, scene })) events.push(event);
      const [first] = events;
      if (first?.type !== 'scene') throw new Error(`expected a scene as the first event, got ${first?.type}`);
      return { scene: first.scene, pixels: clipOf(events).pixels };
    };
    const drawn = await run('');
    expect(Object.keys(drawn.scene)).toEqual(['hour', 'moon']);
    const same = await run(`hour-${drawn.scene.hour}.moon-${drawn.scene.moon}`);
    expect(same).toEqual(drawn); // chosen or drawn, it is the same clip
    const other = await run(drawn.scene.hour === 'day' ? 'hour-night' : 'hour-day');
    expect(other.scene.hour).not.toBe(drawn.scene.hour);
    expect(other.pixels).not.toEqual(drawn.pixels);
    told.dispose();
    expect(tf.memory().numTensors).toBe(tensors);
  });

  it('tells later windows of a long clip what lasts, and no course', async () => {
    const able = await createTinyEngine(TOLD_MODEL);
    const tensors = tf.memory().numTensors;
    const scene = { hour: 'night', moon: 'yes' };
    const short = tellWindows(able, scene, [8, 4, 4]);
    expect(short.later).toBe(short.first); // one window
    short.first.told?.dispose();
    const { first, later } = tellWindows(able, scene, [16, 4, 4]);
    const rows = later.told?.arraySync() ?? [];
    expect(first.told?.shape).toEqual([3, 16]);
    expect(rows[0]).toEqual(first.told?.arraySync()[2]); // the moon
    expect(rows.slice(1).flat()).toEqual(new Array(32).fill(0));
    tf.dispose([first.told, later.told] as tf.Tensor[]);
    for await (const _ of generate(able, { ...OPTIONS, frames: 64, steps: 1, revisePasses: 0 }));
    expect(tf.memory().numTensors).toBe(tensors);
    able.dispose();
  });

  it('says nothing of a scene where the model is told none', async () => {
    expect((await collect()).some(({ type }) => type === 'scene')).toBe(false);
  });

  it.each([0, 15, 516])('refuses a clip of %i frames with the lengths that there are', async (frames) => {
    await expect(collect({ frames })).rejects.toThrow('clips of 4 to 512 frames, in steps of 4');
  });
});
