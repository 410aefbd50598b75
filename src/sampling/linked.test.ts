// Places of linked draws: uniform each, and together as alike as the law says.
import { describe, expect, it } from 'vitest';
import type { Extent3 } from '../config/model';
import { normalShare } from './elementary';
import { linkedPlaces } from './linked';
import { CounterNoise } from './random';

const GRID: Extent3 = [8, 4, 6];
const RUNS = 2000;

function manyPlaces(known: number): Float32Array[] {
  return Array.from({ length: RUNS }, (_, seed) => linkedPlaces(GRID, known, new CounterNoise(seed), 2, 0));
}

/** The normal number with this share below it, by halving. */
function normalAt(share: number): number {
  let [low, high] = [-8, 8];
  for (let i = 0; i < 50; i++) {
    const middle = (low + high) / 2;
    if (normalShare(middle) < share) low = middle;
    else high = middle;
  }
  return low;
}

/** Mean of the products of the normal numbers at two distances from one another, over runs and positions. */
function correlation(runs: readonly Float32Array[], [dt, dh, dw]: Extent3): number {
  const [t, h, w] = GRID;
  let [sum, count] = [0, 0];
  for (const places of runs) {
    const normal = Array.from(places, normalAt);
    const at = (i: number, j: number, k: number): number => normal[(i * h + j) * w + k] ?? Number.NaN;
    for (let i = 0; i + dt < t; i++) {
      for (let j = 0; j + dh < h; j++) {
        for (let k = 0; k + dw < w; k++) {
          sum += at(i, j, k) * at(i + dt, j + dh, k + dw);
          count++;
        }
      }
    }
  }
  return sum / count;
}

describe('linkedPlaces', () => {
  it('is one place for the whole grid where nothing is known, another for each seed', () => {
    const runs = manyPlaces(0);
    for (const places of runs) expect(new Set(places).size).toBe(1);
    expect(new Set(runs.map(([place]) => place)).size).toBe(RUNS);
  });

  it.each([0, 3, 40])('is uniform at every position, %i known', (known) => {
    const runs = manyPlaces(known);
    for (const position of [0, 100, 191]) {
      const sorted = runs.map((places) => places[position] ?? Number.NaN).sort((a, b) => a - b);
      const off = sorted.map((place, i) => Math.abs(place - (i + 0.5) / RUNS));
      expect(Math.max(...off)).toBeLessThan(1.95 / Math.sqrt(RUNS)); // Kolmogorov's bound: one in 1000 is beyond it
      expect(sorted[0]).toBeGreaterThan(0);
      expect(sorted.at(-1)).toBeLessThan(1);
    }
  });

  it('links as far as each axis reaches, and over several by the product; in the picture a share of it', () => {
    const runs = manyPlaces(8).slice(0, 400);
    // 8 known tokens are 1/2 from one another: over 8×4×6 tokens links reach 12 in time, 1.1 upwards and 6.6 along.
    const expected = (dt: number, dh: number, dw: number) =>
      (dh + dw > 0 ? 0.35 : 1) * Math.exp(-dh / 1.1 - dw / 6.6) * (0.3 + 0.7 * Math.exp(-dt / 12));
    const distances: readonly Extent3[] = [
      [1, 0, 0],
      [3, 0, 0],
      [0, 1, 0],
      [0, 0, 1],
      [0, 0, 2],
      [1, 0, 1],
    ];
    for (const apart of distances) {
      expect(Math.abs(correlation(runs, apart) - expected(...apart))).toBeLessThan(0.05);
    }
  });

  it('depends on seed, step and sample, and on nothing else', () => {
    const places = (seed: number, step: number, sample: number) =>
      Array.from(linkedPlaces(GRID, 5, new CounterNoise(seed), step, sample));
    const first = places(1, 0, 0);
    expect(places(1, 0, 0)).toEqual(first);
    for (const other of [places(2, 0, 0), places(1, 1, 0), places(1, 0, 1)]) expect(other).not.toEqual(first);
  });
});

it('normalShare is the normal distribution, to 1e-7, at both ends', () => {
  const known = [
    [0, 0.5],
    [1, 0.8413447460685429],
    [1.959963984540054, 0.975],
    [-2.5758293035489, 0.005],
    [-4, 3.167124183311986e-5],
  ] as const;
  for (const [x, share] of known) expect(Math.abs(normalShare(x) - share)).toBeLessThan(1e-7);
  expect(normalShare(-9)).toBe(1e-7);
  expect(normalShare(9)).toBe(1 - 1e-7);
});
