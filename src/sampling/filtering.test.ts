// Filtering of logits and the race that draws a code.
import { describe, expect, it } from 'vitest';
import { type DrawRequest, drawCodes, probabilities } from './filtering';
import { CounterNoise } from './random';
import { predictFromLogits } from './steps';

const row = Float32Array.of(1, 3, 3, 0, 2);
const kept = (filter: Parameters<typeof probabilities>[1]): number[] =>
  Array.from(probabilities(row, filter), (p, code) => (p > 0 ? code : -1)).filter((code) => code >= 0);

describe('probabilities', () => {
  it('is a softmax at temperature 1', () => {
    const total = Array.from(row, Math.exp).reduce((sum, e) => sum + e, 0);
    const p = probabilities(row, { temperature: 1 });
    for (const [code, logit] of row.entries()) expect(p[code]).toBeCloseTo(Math.exp(logit) / total, 6);
  });

  it('top-k keeps what ties with the k-th', () => {
    expect(kept({ temperature: 1, topK: 1 })).toEqual([1, 2]);
    expect(kept({ temperature: 1, topK: 3 })).toEqual([1, 2, 4]);
    expect(kept({ temperature: 1, topK: 0 })).toEqual([0, 1, 2, 3, 4]);
  });

  it('top-p drops a code once the mass before it has been reached, lower codes first among equals', () => {
    expect(kept({ temperature: 1, topP: 0.01 })).toEqual([1]);
    expect(kept({ temperature: 1, topP: 0.5 })).toEqual([1, 2]);
    expect(kept({ temperature: 1, topP: 0.9 })).toEqual([1, 2, 4]);
    expect(kept({ temperature: 1, topP: 1 })).toEqual([0, 1, 2, 3, 4]);
  });

  it('temperature 0 leaves the largest, in equal parts', () => {
    expect(Array.from(probabilities(row, { temperature: 0 }))).toEqual([0, 0.5, 0.5, 0, 0]);
  });

  it('sums to 1 after every cut', () => {
    for (const filter of [
      { temperature: 0.7, topK: 2 },
      { temperature: 2, topP: 0.6 },
      { temperature: 1, topK: 4, topP: 0.8 },
    ]) {
      expect(probabilities(row, filter).reduce((sum, p) => sum + p, 0)).toBeCloseTo(1, 6);
    }
  });

  it('complains about a row that is not finite', () => {
    expect(() => probabilities(Float32Array.of(0, Number.NaN), { temperature: 1 })).toThrow(/NaN/);
  });
});

describe('drawCodes', () => {
  const rows = 20_000;
  const logits = new Float32Array(rows * row.length).map((_, i) => row[i % row.length] ?? 0);
  const request: DrawRequest = {
    batch: 1,
    target: Int32Array.from({ length: rows }, (_, i) => i),
    filter: { temperature: 1 },
    noise: new CounterNoise(5),
    step: 3,
  };

  it('draws each code as often as its probability says, within four standard errors', () => {
    const { samples } = drawCodes(logits, { ...request, step: 0 });
    for (const [code, p] of probabilities(row, { temperature: 1 }).entries()) {
      const share = samples.filter((sample) => sample === code).length / rows;
      expect(Math.abs(share - p)).toBeLessThan(4 * Math.sqrt((p * (1 - p)) / rows));
    }
  });

  it('scores a sample with its probability', () => {
    const filter = { temperature: 0.8, topK: 3 };
    const p = probabilities(row, filter);
    const { samples, scores } = drawCodes(logits, { ...request, filter });
    for (let i = 0; i < 100; i++) expect(scores[i]).toBeCloseTo(p[samples[i] ?? 0] ?? -1, 6);
  });

  it('does not depend on the order of the targets', () => {
    const forth = drawCodes(logits, request);
    const back = drawCodes(logits, { ...request, target: request.target.slice().reverse() });
    expect(back.samples.slice().reverse()).toEqual(forth.samples);
  });

  it('draws the same from chunks of rows, whatever their order, sizes and samples', async () => {
    const mixed = logits.map((logit, i) => logit * Math.sin(i));
    const state = { ...request, batch: 2, tokens: new Int32Array(0), context: new Int32Array(0) };
    const predict = predictFromLogits(async function* () {
      for (const [first, count] of [
        [9_990, 10_010],
        [0, 1],
        [1, 9_989],
      ] as const) {
        yield { first, count, logits: mixed.subarray(first * row.length, (first + count) * row.length) };
      }
    });
    expect(await predict({ ...state, target: request.target.slice() })).toEqual(drawCodes(mixed, state));
  });

  it('refuses logits that do not fit the targets', () => {
    expect(() => drawCodes(new Float32Array(7), { ...request, target: new Int32Array(3) })).toThrow(
      '7 logits do not divide into 3 rows',
    );
  });
});
