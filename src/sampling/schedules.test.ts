import { describe, expect, it } from 'vitest';
import { SCHEDULES } from '../config/generation';
import { maskedCount, maskedFraction, progressAfter } from './schedules';

describe('mask schedules', () => {
  it.each(SCHEDULES)('%s falls from everything to nothing', (schedule) => {
    const counts = Array.from({ length: 16 }, (_, k) => maskedCount(schedule, progressAfter(k, 16), 1000));
    expect(maskedFraction(schedule, 0)).toBe(1);
    expect(counts).toEqual([...counts].sort((a, b) => b - a));
    expect(counts.at(-1)).toBe(0);
  });

  it('quartic keeps a token or two in the first of 8 steps, rounding every product to float32', () => {
    const kept = (k: number, total: number) => total - maskedCount('quartic', progressAfter(k, 8), total);
    expect([0, 1, 2, 3].map((k) => kept(k, 8192))).toEqual([2, 32, 162, 512]);
    expect(kept(0, 4096)).toBe(1);
    expect(maskedFraction('quartic', 1 / 3)).toBe(Math.fround(0.9876543283462524));
  });
});
