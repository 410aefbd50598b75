// The counter-based generator: known answers, distribution, and independence of order and batch.
import { describe, expect, it } from 'vitest';
import { log, negativeLogs } from './elementary';
import { CounterNoise, type DrawSite, threefry2x32 } from './random';

const site = (position: number, step = 0, sample = 0): DrawSite => ({ step, sample, row: 0, position });

describe('threefry2x32', () => {
  // Known answers of the Random123 distribution (kat_vectors, threefry2x32 20).
  it.each([
    [
      [0, 0],
      [0, 0],
      [0x6b200159, 0x99ba4efe],
    ],
    [
      [-1, -1],
      [-1, -1],
      [0x1cb996fc, 0xbb002be7],
    ],
    [
      [0x13198a2e, 0x03707344],
      [0x243f6a88, 0x85a308d3],
      [0xc4923a9c, 0x483df7a0],
    ],
  ] as const)('key %j, counter %j', (key, [high, low], expected) => {
    const out = new Uint32Array(2);
    threefry2x32(key, high, low, out);
    expect(Array.from(out)).toEqual(expected);
  });

  it('counts upwards: a later start gives the tail of an earlier one', () => {
    const all = new Uint32Array(20);
    const tail = new Uint32Array(8);
    threefry2x32([1, 2], 3, 100, all);
    threefry2x32([1, 2], 3, 106, tail);
    expect(tail).toEqual(all.slice(12));
  });
});

describe('elementary functions', () => {
  it('log agrees with the built-in one to a few parts in 10^16', () => {
    for (const x of [5e-324, 1e-310, 1e-20, 0.3, 0.7, 1, 1 + 2 ** -40, 2, 1e5, 1e300]) {
      expect(Math.abs(log(x) - Math.log(x))).toBeLessThanOrEqual(
        4e-16 * Math.max(Math.abs(Math.log(x)), 1e-12),
      );
    }
    expect(log(0)).toBe(Number.NEGATIVE_INFINITY);
    expect(log(-1)).toBeNaN();
  });

  it('negativeLogs is accurate at both ends of the words', () => {
    const words = Uint32Array.of(0, 1, 2 ** 31, 2 ** 32 - 2 ** 20, 2 ** 32 - 1);
    const out = new Float32Array(words.length);
    negativeLogs(words, out);
    for (const [i, word] of words.entries()) {
      const exact = -Math.log1p((word + 0.5 - 2 ** 32) / 2 ** 32);
      expect(Math.abs((out[i] ?? 0) / exact - 1)).toBeLessThan(1e-7);
    }
  });
});

describe('CounterNoise', () => {
  it('gives the value of a code whatever was drawn before and however many codes there are', () => {
    const noise = new CounterNoise(42);
    const [long, short] = [new Float32Array(64), new Float32Array(7)];
    noise.fillCodes(site(5), long);
    noise.fillCodes(site(9), long);
    noise.fillCodes(site(5), long);
    new CounterNoise(42).fillCodes(site(5), short);
    expect(short).toEqual(long.slice(0, 7));
  });

  it('differs by seed, step, position and sample', () => {
    const draw = (seed: number, at: DrawSite): string => {
      const out = new Float32Array(8);
      new CounterNoise(seed).fillCodes(at, out);
      return out.join();
    };
    const draws = [
      draw(1, site(0)),
      draw(2, site(0)),
      draw(1, site(1)),
      draw(1, site(0, 1)),
      draw(1, site(0, 0, 1)),
    ];
    expect(new Set(draws).size).toBe(draws.length);
  });

  it('is exponential: mean 1, variance 1, and quantiles within four standard errors', () => {
    const noise = new CounterNoise(7);
    const out = new Float32Array(1000);
    const values: number[] = [];
    for (let position = 0; position < 400; position++) {
      noise.fillCodes(site(position), out);
      values.push(...out);
    }
    const n = values.length;
    const mean = values.reduce((sum, x) => sum + x, 0) / n;
    const variance = values.reduce((sum, x) => sum + (x - mean) ** 2, 0) / n;
    expect(Math.abs(mean - 1)).toBeLessThan(4 / Math.sqrt(n));
    expect(Math.abs(variance - 1)).toBeLessThan(4 * Math.sqrt(8 / n));
    for (const q of [0.001, 0.1, 0.5, 1, 3, 6]) {
      const expected = Math.exp(-q);
      const actual = values.filter((x) => x > q).length / n;
      expect(Math.abs(actual - expected)).toBeLessThan(4 * Math.sqrt((expected * (1 - expected)) / n));
    }
    expect(values.every((x) => x > 0 && Number.isFinite(x))).toBe(true);
  });

  it('is normal: moments within four standard errors', () => {
    const noise = new CounterNoise(3);
    const n = 50_000;
    const values = Array.from({ length: n }, (_, position) => noise.normal(site(position)));
    const moment = (k: number): number => values.reduce((sum, x) => sum + x ** k, 0) / n;
    expect(Math.abs(moment(1))).toBeLessThan(4 / Math.sqrt(n));
    expect(Math.abs(moment(2) - 1)).toBeLessThan(4 * Math.sqrt(2 / n));
    expect(Math.abs(moment(4) - 3)).toBeLessThan(4 * Math.sqrt(96 / n));
  });

  it('permutes, uniformly at every place', () => {
    const noise = new CounterNoise(11);
    const counts = new Map<number, number>();
    for (let draw = 0; draw < 4000; draw++) {
      const order = noise.permutation(draw, 0, 5);
      expect(Array.from(order).sort()).toEqual([0, 1, 2, 3, 4]);
      for (const [place, value] of order.entries())
        counts.set(5 * place + value, (counts.get(5 * place + value) ?? 0) + 1);
    }
    for (const count of counts.values())
      expect(Math.abs(count - 800)).toBeLessThan(4.5 * Math.sqrt(800 * 0.8));
    expect(counts.size).toBe(25);
  });
});
