import { describe, expect, it } from 'vitest';
import { growthOf } from './comparison';

const points = (times: Readonly<Record<number, number>>) =>
  Object.entries(times).map(([tokens, milliseconds]) => ({ tokens: Number(tokens), milliseconds }));

describe('growthOf', () => {
  it('finds the power that times were made with', () => {
    const times = points({ 1024: 3 * 1024 ** 1.5, 2048: 3 * 2048 ** 1.5, 4096: 3 * 4096 ** 1.5 });
    const growth = growthOf(times);
    expect(growth?.exponent).toBeCloseTo(1.5, 10);
    expect(growth).toMatchObject({ from: 1024, to: 4096 });
  });

  it('leaves out passes below 1,024 tokens, which fixed costs rule', () => {
    const growth = growthOf(points({ 256: 90, 512: 95, 1024: 100, 2048: 200, 4096: 400, 8192: 800 }));
    expect(growth?.exponent).toBeCloseTo(1, 10);
    expect(growth?.from).toBe(1024);
  });

  it('takes the last three where fewer reached 1,024', () => {
    const growth = growthOf(points({ 128: 7, 256: 10, 512: 40, 1024: 160 }));
    expect(growth?.exponent).toBeCloseTo(2, 10);
    expect(growth).toMatchObject({ from: 256, to: 1024 });
  });

  it('spreads the error of scattered times: least squares, not the ends', () => {
    const growth = growthOf(points({ 1024: 1, 2048: 4, 4096: 4, 8192: 16 }));
    expect(growth?.exponent).toBeCloseTo(1.2, 10);
  });

  it('says nothing of one point', () => {
    expect(growthOf(points({ 1024: 5 }))).toBeNull();
    expect(growthOf([])).toBeNull();
  });
});
