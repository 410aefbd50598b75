// Filtering of logits and the race that draws a code.
import { describe, expect, it } from 'vitest';
import { drawCodes, probabilities } from './filtering';
import { CounterNoise } from './random';

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
  const target = Int32Array.from({ length: rows }, (_, i) => i);

  it('draws each code as often as its probability says, within four standard errors', () => {
    const { samples } = drawCodes(logits, target, 1, { temperature: 1 }, new CounterNoise(5), 0);
    for (const [code, p] of probabilities(row, { temperature: 1 }).entries()) {
      const share = samples.filter((sample) => sample === code).length / rows;
      expect(Math.abs(share - p)).toBeLessThan(4 * Math.sqrt((p * (1 - p)) / rows));
    }
  });

  it('scores a sample with its probability', () => {
    const p = probabilities(row, { temperature: 0.8, topK: 3 });
    const { samples, scores } = drawCodes(
      logits,
      target,
      1,
      { temperature: 0.8, topK: 3 },
      new CounterNoise(6),
      0,
    );
    for (let i = 0; i < 100; i++) expect(scores[i]).toBeCloseTo(p[samples[i] ?? 0] ?? -1, 6);
  });

  it('does not depend on the order of the targets', () => {
    const backwards = target.slice().reverse();
    const forth = drawCodes(logits, target, 1, { temperature: 1 }, new CounterNoise(5), 3);
    const back = drawCodes(logits, backwards, 1, { temperature: 1 }, new CounterNoise(5), 3);
    expect(back.samples.slice().reverse()).toEqual(forth.samples);
  });

  it('refuses logits that do not fit the targets', () => {
    expect(() =>
      drawCodes(new Float32Array(7), new Int32Array(3), 1, { temperature: 1 }, new CounterNoise(0), 0),
    ).toThrow('7 logits do not divide into 3 targets');
  });
});
