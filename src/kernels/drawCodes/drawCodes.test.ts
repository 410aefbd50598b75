/** The kernel against src/sampling/filtering.ts on the same logits: the same codes, but for near-ties, which are measured. */
import * as tf from '@tensorflow/tfjs-core';
import { expect, it } from 'vitest';
import {
  type DrawRequest,
  type Draws,
  drawCodes as drawReference,
  type Filter,
  logitScale,
} from '../../sampling/filtering';
import { CounterNoise } from '../../sampling/random';
import { distanceToCut, leadOver } from '../../sampling/testing/race';
import { gpuFailures } from '../testing/backends';
import { onBackend, values } from '../testing/parity';
import { BROKEN_ROW, drawCodes, emptyDraws } from './index';

/** A code may lose the race by this much and still be drawn: float32 weights and noise, and their quotient. */
const MOST_LEAD = 1 + 4e-6;
/** Mass by which a cut of top-p may miss. */
const CUT_ERROR = 2e-6;
const SCORE_ERROR = 1e-5;

interface Case extends DrawRequest {
  readonly logits: Float32Array;
  readonly seed: number;
}

function caseOf(logits: Float32Array, rows: number, filter: Filter, seed = 7, batch = 1): Case {
  const target = Int32Array.from({ length: rows }, (_, i) => (i * 37) % 8192);
  return { logits, batch, target, filter, noise: new CounterNoise(seed), seed, step: 3 };
}

async function drawOnDevice({ logits, batch, target, filter, seed, step }: Case): Promise<Draws> {
  const rows = target.length;
  const packed = tf.tidy(() => {
    const all = tf.tensor2d(logits, [rows, logits.length / rows]);
    const cuts = { scale: logitScale(filter), topK: filter.topK ?? 0, topP: filter.topP ?? 1 };
    const settings = { ...cuts, seed, step, targets: rows / batch };
    const draws = emptyDraws(rows);
    const positions = tf.tensor2d(target, [rows, 1], 'int32');
    const middle = rows >> 1; // two chunks, the second one first
    drawCodes(tf.slice(all, [middle, 0]), positions, middle, settings, draws);
    drawCodes(tf.slice(all, [0, 0], [middle, -1]), positions, 0, settings, draws);
    return draws;
  });
  const pairs = await packed.data<'float32'>();
  packed.dispose();
  expect(gpuFailures).toEqual([]);
  return {
    samples: Int32Array.from(target, (_, i) => pairs[2 * i] ?? Number.NaN),
    scores: Float32Array.from(target, (_, i) => pairs[2 * i + 1] ?? Number.NaN),
  };
}

/** Returns how many codes differ; throws where one of them is no near-tie. */
async function compare(given: Case): Promise<number> {
  const expected = drawReference(given.logits, given);
  const got = await drawOnDevice(given);
  const vocabulary = given.logits.length / given.target.length;
  let different = 0;
  for (const [row, code] of expected.samples.entries()) {
    const logits = given.logits.subarray(row * vocabulary, (row + 1) * vocabulary);
    if (distanceToCut(logits, given.filter) < CUT_ERROR) continue; // what is cut decides both code and probability
    if (got.samples[row] === code) {
      const score = expected.scores[row] ?? Number.NaN;
      expect(Math.abs((got.scores[row] ?? Number.NaN) - score)).toBeLessThanOrEqual(SCORE_ERROR * score);
    } else {
      expect(leadOver(got.samples[row] ?? -1, row, logits, given)).toBeLessThan(MOST_LEAD);
      different++;
    }
  }
  return different;
}

const FILTERS: readonly Filter[] = [
  { temperature: 1 },
  { temperature: 0.3 },
  { temperature: 0 },
  { temperature: 3, topK: 1 },
  { temperature: 1, topK: 5 },
  { temperature: 1, topK: 1e6 },
  { temperature: 1, topP: 0.9 },
  { temperature: 0.8, topP: 1e-6 },
  { temperature: 2, topK: 40, topP: 0.7 },
];

onBackend('webgpu', 'drawCodes', () => {
  it.each([1, 3, 31, 256, 1025, 5000])(
    'draws the codes of the reference from a vocabulary of %i',
    async (codes) => {
      const rows = 12;
      let different = 0;
      for (const [i, filter] of FILTERS.entries()) {
        const { data } = values([rows, codes], 100 * i + codes, 6);
        different += await compare(caseOf(data, rows, filter, 1000 + i));
      }
      expect(different).toBeLessThanOrEqual(1);
    },
  );

  it.each(FILTERS)('parts ties as the reference does: %j', async (filter) => {
    const rows = 12;
    const data = values([rows, 300], 5, 3).data.map((x) => Math.round(x) * 0.5);
    data.fill(0, 0, 300).fill(-0, 10, 200); // one row of nothing but ties, of both zeros
    expect(await compare(caseOf(data, rows, filter))).toBeLessThanOrEqual(1);
  });

  it.each([{ temperature: 1 }, { temperature: 1, topK: 32 }, { temperature: 1.3, topK: 900, topP: 0.8 }])(
    'draws from 16,384 codes: %j',
    async (filter) => {
      const { data } = values([3, 16384], 9, 8);
      expect(await compare(caseOf(data, 3, filter))).toBe(0);
    },
  );

  it('has noise of its own for every sample, seed and step', async () => {
    const { data } = values([12, 64], 2, 1);
    for (const extra of [{ seed: 2 ** 32 - 5 }, { seed: 0, step: 4000 }]) {
      const given = { ...caseOf(data, 12, { temperature: 1 }, extra.seed, 3), ...extra };
      expect(await compare(given)).toBe(0);
    }
  });

  it('leaves codes of -Infinity out, and says where a row has no largest logit', async () => {
    const { data } = values([4, 50], 3, 1);
    data.fill(Number.NEGATIVE_INFINITY, 0, 49);
    data.fill(Number.NEGATIVE_INFINITY, 50, 100);
    data[123] = Number.NaN;
    data[171] = Number.POSITIVE_INFINITY;
    const { samples, scores } = await drawOnDevice(caseOf(data, 4, { temperature: 1 }));
    expect(Array.from(samples)).toEqual([49, BROKEN_ROW, BROKEN_ROW, BROKEN_ROW]);
    expect(scores[0]).toBe(1);
  });
});
