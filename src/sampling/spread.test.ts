import { describe, expect, it } from 'vitest';
import { CounterNoise } from './random';
import { spreadTurns } from './spread';

/** Positions by their turn. */
function orderOf(turns: Int32Array): number[] {
  const order = new Array<number>(turns.length).fill(-1);
  for (const [position, turn] of turns.entries()) order[turn] = position;
  return order;
}

describe('spread order', () => {
  it.each([[[32, 16, 16]], [[1, 1, 1]], [[1, 2, 3]], [[4, 3, 5]]] as const)(
    'gives every position of %j one turn',
    (grid) => {
      const order = orderOf(spreadTurns(grid, new CounterNoise(3)));
      expect([...order].sort((a, b) => a - b)).toEqual(order.map((_, i) => i));
    },
  );

  it('fills the picture and the clip evenly from the start', () => {
    const first = orderOf(spreadTurns([32, 16, 16], new CounterNoise(7))).slice(0, 256);
    expect(new Set(first.map((position) => position % 256)).size).toBeGreaterThan(175); // 162 at random
    const perFrame = new Map<number, number>();
    for (const position of first) {
      const frame = Math.floor(position / 256);
      perFrame.set(frame, (perFrame.get(frame) ?? 0) + 1);
    }
    expect(perFrame.size).toBe(32);
    expect(Math.max(...perFrame.values())).toBeLessThanOrEqual(11);
  });

  it('depends on the seed and on nothing else', () => {
    const turns = (seed: number) => [...spreadTurns([4, 4, 4], new CounterNoise(seed))];
    expect(turns(1)).toEqual(turns(1));
    expect(turns(1)).not.toEqual(turns(2));
  });
});
