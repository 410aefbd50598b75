// What the veil hints at: colours near fixed tokens, nothing where nothing is known.
import { describe, expect, it } from 'vitest';
import { fogOf } from './fog';

const grid = [3, 5, 7] as const;
const positions = 3 * 5 * 7;
const at = (t: number, y: number, x: number) => (t * 5 + y) * 7 + x;

/** One red token in the middle. */
function oneToken() {
  const colours = new Float32Array(positions * 3);
  const fixed = new Uint8Array(positions);
  colours.set([200, 10, 30], at(1, 2, 3) * 3);
  fixed[at(1, 2, 3)] = 1;
  return { colours, fixed };
}

describe('fogOf', () => {
  it('trusts nothing while nothing is fixed', () => {
    const fog = fogOf(new Float32Array(positions * 3).fill(90), new Uint8Array(positions), grid);
    expect(fog.every((value) => value === 0)).toBe(true);
  });

  it('gives the one known colour everywhere in reach, with less trust the farther away', () => {
    const { colours, fixed } = oneToken();
    const fog = fogOf(colours, fixed, grid);
    const trust = (t: number, y: number, x: number) => fog[at(t, y, x) * 4 + 3] ?? -1;
    for (const n of [at(1, 2, 3), at(0, 2, 3), at(1, 4, 3), at(1, 2, 0)]) {
      expect(fog[n * 4]).toBeCloseTo(200, 3);
      expect(fog[n * 4 + 1]).toBeCloseTo(10, 3);
      expect(fog[n * 4 + 2]).toBeCloseTo(30, 3);
    }
    const along = [3, 4, 5, 6].map((x) => trust(1, 2, x));
    expect(along).toEqual([...along].sort((a, b) => b - a));
    expect(new Set(along).size).toBe(4);
    // The same all round, in space and in time.
    expect(trust(1, 2, 4)).toBeCloseTo(trust(1, 1, 3), 7);
    expect(trust(1, 2, 4)).toBeCloseTo(trust(0, 2, 3), 7);
  });

  it('takes no colour from tokens that are masked', () => {
    const { colours, fixed } = oneToken();
    colours.set([0, 255, 0], at(1, 2, 4) * 3);
    expect(fogOf(colours, fixed, grid)[at(1, 2, 4) * 4]).toBeCloseTo(200, 3);
  });
});
