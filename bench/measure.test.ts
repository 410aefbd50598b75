import { describe, expect, it } from 'vitest';
import { alternate, largestDifference, type Runner } from './measure';
import { summarize } from './rows';

const named = (name: string, calls: string[]): Runner => ({
  run: async () => {
    calls.push(name);
    return undefined;
  },
});

describe('contenders', () => {
  it('run in turn after one warm-up each', async () => {
    const calls: string[] = [];
    const results = await alternate([named('a', calls), named('b', calls)], {
      milliseconds: 1e6,
      patience: 1e6,
      mostRuns: 2,
    });
    expect(calls).toEqual(['a', 'b', 'a', 'b', 'a', 'b']);
    expect(results.map((result) => (result instanceof Error ? -1 : result.runs))).toEqual([2, 2]);
  });

  it('without time for a second run count their warm-up', async () => {
    const [result] = await alternate([{ run: async () => [1], extrapolated: () => 500 }], {
      milliseconds: 0,
      patience: -1,
      mostRuns: 5,
    });
    expect(result).toEqual({ ms: { median: 500, min: 500, max: 500 }, runs: 0, output: [1] });
  });

  it('are run once after the warm-up however long that took, within patience', async () => {
    const [result] = await alternate([{ run: async () => [1] }], {
      milliseconds: 0,
      patience: 1e6,
      mostRuns: 5,
    });
    expect(result).toMatchObject({ runs: 1 });
  });

  it('have the patience that is their own', async () => {
    const slow: Runner = { run: async () => [1], patience: 1e6 };
    const results = await alternate([slow, { run: async () => [1] }], {
      milliseconds: 0,
      patience: -1,
      mostRuns: 5,
    });
    expect(results).toMatchObject([{ runs: 1 }, { runs: 0 }]);
  });

  it('that fail do not stop the others', async () => {
    const fails: Runner = { run: () => Promise.reject(new Error('no such op')) };
    const [failed, other] = await alternate([fails, named('b', [])], {
      milliseconds: 1e6,
      patience: 1e6,
      mostRuns: 3,
    });
    expect(failed).toEqual(new Error('no such op'));
    expect(other).toMatchObject({ runs: 3 });
  });
});

it('the middle of an even number of times is the mean of the middle two', () => {
  expect(summarize([9, 1, 3, 4])).toEqual({ median: 3.5, min: 1, max: 9 });
  expect(summarize([5, 1, 2])).toEqual({ median: 2, min: 1, max: 5 });
  expect(summarize([])).toEqual({ median: null, min: null, max: null });
});

it('a difference that is not a number is not small', () => {
  expect(largestDifference([1, 2, 3], [1, 2.5, 2.75])).toBe(0.5);
  expect(largestDifference([1], [Number.NaN])).toBeNaN();
  expect(largestDifference([1], [1, 2])).toBeNull();
});
