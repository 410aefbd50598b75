import { describe, expect, it } from 'vitest';
import { Allowance, kindOf } from './allowance';

const clockOf = (start = 0) => {
  let now = start;
  return { now: () => now, pass: (seconds: number) => (now += 1000 * seconds) };
};

const LIMITS = { budget: 8, patience: 20, seconds: 60 };
const forward = (flops: number) => [{ kind: 'forward', flops }] as const;

describe('an allowance', () => {
  it('lets run what it knows nothing of', () => {
    expect(new Allowance(LIMITS, clockOf().now).refusal('ours', forward(1e30), 1)).toBeUndefined();
  });

  it('refuses what would take too long by the pace of a smaller size, with the estimate', () => {
    const allowance = new Allowance(LIMITS, clockOf().now);
    allowance.learn('forward', 'tfjs-stock', 1e9, 1000);
    expect(allowance.refusal('tfjs-stock', forward(19e9), 1)).toBeUndefined();
    expect(allowance.refusal('tfjs-stock', forward(210e9), 1)).toEqual({
      reason: 'est. 210 s a run, over the budget of 20 s',
      estimate: 210_000,
    });
    expect(allowance.refusal('tfjs-stock', forward(50e9), 3)).toBeUndefined();
    expect(allowance.refusal('ours', forward(210e9), 1)).toBeUndefined();
  });

  it('adds up the pieces of a run, and knows nothing where one of them is unknown', () => {
    const allowance = new Allowance(LIMITS, clockOf().now);
    allowance.learn('forward', 'ours', 1e9, 1000);
    const pieces = [...forward(2e9), { kind: 'decode', flops: 3e9 } as const];
    expect(allowance.estimate('ours', pieces)).toBeUndefined();
    allowance.learn('decode', 'ours', 1e9, 100);
    expect(allowance.estimate('ours', pieces)).toBeCloseTo(2300, 6);
  });

  it('refuses what does not fit into the time that is left, and everything when none is', () => {
    const { now, pass } = clockOf(5);
    const allowance = new Allowance(LIMITS, now);
    allowance.learn('forward', 'ours', 1e9, 1000);
    pass(55);
    expect(allowance.budget()).toBe(5000);
    expect(allowance.refusal('ours', forward(10e9), 1)?.reason).toBe(
      'est. 10 s a run, and 5 s were left for this backend',
    );
    pass(5);
    expect(allowance.refusal('dense', forward(1), 1)?.reason).toBe('the 1 min for this backend were spent');
  });
});

it('sizes of one kind of work share their pace', () => {
  expect(kindOf('forward-8192')).toBe('forward');
  expect(kindOf('official-8192')).toBe('forward');
  expect(kindOf('decode-16-small')).toBe('decode');
  expect(kindOf('narrow-generate-64')).toBe('generate');
});
