import * as tf from '@tensorflow/tfjs-core';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ComparisonEvent, ComparisonOptions, ComparisonPoint, Family } from '../config/comparison';
import { switchBackend } from '../kernels/testing/backends';
import { onEachBackend } from '../kernels/testing/parity';
import { randomReader } from '../model/initialization';
import { readTransformer, type TransformerParameters } from '../model/transformer';
import { compareFamilies, type Measure } from './compare';
import { TINY_MODEL } from './testing/tinyModel';

const GENEROUS: ComparisonOptions = { sizes: [16, 32, 64], budget: 600_000, memory: 2 ** 30 };

let transformer: TransformerParameters;
const create = (): void => {
  transformer = readTransformer(TINY_MODEL.transformer, randomReader(TINY_MODEL, 1));
};
const clear = (): void => tf.dispose(transformer as unknown as tf.TensorContainer);

async function collect(events: AsyncIterable<ComparisonEvent>): Promise<ComparisonEvent[]> {
  const all: ComparisonEvent[] = [];
  for await (const event of events) all.push(event);
  return all;
}

const pointsOf = (events: readonly ComparisonEvent[], family: Family): ComparisonPoint[] =>
  events.flatMap((event) => (event.type === 'point' && event.point.family === family ? [event.point] : []));

/** A machine on which a pass takes `ms(family, tokens)` and `bytes`; its clock is the real one. */
const pretending =
  (ms: (family: Family, tokens: number) => number, bytes: (tokens: number) => number = () => 1): Measure =>
  async (_families, family, tokens) => {
    const milliseconds = ms(family, tokens);
    const point = { family, tokens, milliseconds, runs: 1, extrapolated: false, bytes: bytes(tokens) };
    return { point, cost: milliseconds };
  };

onEachBackend('comparing the tiny model with the other families', (backend) => {
  beforeEach(create);
  afterEach(clear);

  it('measures each at each size, in time and memory, and leaves no tensor behind', async () => {
    const sizes = backend === 'webgpu' ? [16, 32] : GENEROUS.sizes;
    const before = tf.memory();
    const events = await collect(compareFamilies(transformer, { ...GENEROUS, sizes, budget: 4000 }));
    expect(tf.memory().numTensors).toBe(before.numTensors);
    expect(tf.memory().numBytes).toBe(before.numBytes);
    for (const family of ['mebt', 'dense', 'autoregressive'] as const) {
      const points = pointsOf(events, family);
      expect(points[0]?.tokens).toBe(16);
      for (const { milliseconds, bytes, runs, extrapolated } of points) {
        expect(milliseconds).toBeGreaterThan(0);
        expect(bytes).toBeGreaterThan(1000);
        expect(runs).toBeGreaterThan(0);
        expect(extrapolated).toBe(family === 'autoregressive');
      }
    }
    expect(events.at(-1)?.type).toBe('summary');
  });
});

describe('a comparison', () => {
  beforeEach(async () => {
    await switchBackend('cpu');
    create();
  });
  afterEach(clear);

  it('counts a cache for all positions as the autoregressive family’s memory', async () => {
    const events = await collect(compareFamilies(transformer, { ...GENEROUS, sizes: [64] }));
    const { width, modes } = transformer.config;
    const cache = 2 * modes.length * 64 * width * Float32Array.BYTES_PER_ELEMENT;
    const [point] = pointsOf(events, 'autoregressive');
    expect(point?.bytes).toBeGreaterThan(cache);
    expect(point?.bytes).toBeLessThan(2 * cache);
  });

  it('fits the exponent of each family and says that all sizes were reached', async () => {
    const power = { mebt: 1, dense: 1.8, autoregressive: 1.3 };
    const measure = pretending((family, tokens) => 1e-4 * tokens ** power[family]);
    const sizes = [512, 1024, 2048, 4096];
    const last = (await collect(compareFamilies(transformer, { ...GENEROUS, sizes }, undefined, measure))).at(
      -1,
    );
    if (last?.type !== 'summary') throw new Error('no summary');
    for (const family of ['mebt', 'dense', 'autoregressive'] as const) {
      expect(last.families[family].end).toBe('largest');
      expect(last.families[family].growth?.exponent).toBeCloseTo(power[family], 6);
    }
  });

  it('stops enlarging a family whose next size would not fit in the budget, and goes on with the others', async () => {
    const measure = pretending((family, tokens) => (family === 'dense' ? tokens ** 2 : 1));
    const options = { sizes: [16, 32, 64, 128], budget: 5000, memory: 2 ** 30 };
    const events = await collect(compareFamilies(transformer, options, undefined, measure));
    // 64² = 4096 ms fits in 5 s; 128² does not.
    expect(pointsOf(events, 'dense').map(({ tokens }) => tokens)).toEqual([16, 32, 64]);
    expect(pointsOf(events, 'mebt')).toHaveLength(4);
    const last = events.at(-1);
    expect(last?.type === 'summary' && last.families.dense.end).toBe('time');
    expect(last?.type === 'summary' && last.families.mebt.end).toBe('largest');
  });

  it('takes the cheapest next, so that one slow family does not use up the budget of the others', async () => {
    const measure = pretending((family, tokens) => (family === 'dense' ? 100 : 1) * tokens);
    const events = await collect(
      compareFamilies(transformer, { ...GENEROUS, sizes: [16, 32, 64] }, undefined, measure),
    );
    const order = events.flatMap((event) => (event.type === 'point' ? [event.point.family] : []));
    expect(order.slice(-2)).toEqual(['dense', 'dense']);
  });

  it('begins no pass that is expected to need more memory than allowed', async () => {
    const measure = pretending(
      () => 1,
      (tokens) => tokens * 1000,
    );
    const options = { ...GENEROUS, sizes: [16, 32, 64, 128], memory: 100_000 };
    const events = await collect(compareFamilies(transformer, options, undefined, measure));
    expect(pointsOf(events, 'mebt').map(({ tokens }) => tokens)).toEqual([16, 32, 64]);
    const last = events.at(-1);
    expect(last?.type === 'summary' && last.families.mebt.end).toBe('memory');
  });

  it('ends when aborted, wherever it is, and frees everything', async () => {
    const before = tf.memory().numTensors;
    for (const after of [1, 2, 5]) {
      const abort = new AbortController();
      let events = 0;
      const run = async (): Promise<void> => {
        for await (const _ of compareFamilies(transformer, GENEROUS, abort.signal)) {
          events += 1;
          if (events === after) abort.abort(new Error('enough'));
        }
      };
      await expect(run()).rejects.toThrow('enough');
      expect(events).toBeLessThanOrEqual(after + 1);
      expect(tf.memory().numTensors).toBe(before);
    }
    for await (const _ of compareFamilies(transformer, GENEROUS)) break;
    expect(tf.memory().numTensors).toBe(before);
  });

  it.each([[[]], [[8, 16]], [[32, 16]], [[16.5]]])('refuses the sizes %j', async (sizes) => {
    const events = compareFamilies(transformer, { ...GENEROUS, sizes });
    await expect(collect(events)).rejects.toThrow('sizes must be whole numbers');
  });
});
