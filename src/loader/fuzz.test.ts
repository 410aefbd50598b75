// Damaged and hostile files: each ends in a typed error or in a correct result; none hangs, crashes, or takes memory out of
// proportion (testing/fuzz: array buffers four times the file, the heap 64 MB). The seed is fixed; FUZZ_FACTOR=10 runs
// ten times as many, FUZZ_SEED=n others.
import { afterAll, describe, expect, it } from 'vitest';
import { FAILURES, type KindName, RUNS } from './testing/fuzz/kindNames';
import { Watchdog } from './testing/fuzz/watchdog';

const SEED = Number(process.env.FUZZ_SEED ?? 20_230_321);
const FACTOR = Number(process.env.FUZZ_FACTOR ?? 1);
/** Of a whole kind; each mutant has its own deadline. */
const LONG = 900_000 * FACTOR;

const watchdog = new Watchdog();
afterAll(() => watchdog.close());

const NOTICED: Readonly<Record<(typeof FAILURES)[number], RegExp>> = {
  'it rounds in a circle': /seed 5, mutant 0 .*more than 2 s of processor time/,
  'it fills the heap': /seed 5, mutant 0 .*memory limit/,
  'it throws what nobody expects': /seed 5, mutant 0 .*x is undefined/s,
  'it allocates five times the file': /allocated 400000 bytes, the file has 80000/,
};

/** What became of the mutants, for the last test. */
const outcomes = { refused: 0, read: 0 };

describe('hostile files', () => {
  it.each(Object.entries(RUNS) as [KindName, number][])(
    '%s',
    async (kind, count) => {
      const { refused, read } = await watchdog.run({ kind, seed: SEED, runs: Math.round(count * FACTOR) });
      outcomes.refused += refused;
      outcomes.read += read;
    },
    LONG,
  );
});

describe('the fuzz test itself', () => {
  it('saw files that could be read and files that could not', () => {
    expect(outcomes.refused + outcomes.read).toBeGreaterThanOrEqual(20_000 * FACTOR);
    expect(outcomes.refused).toBeGreaterThan(5000 * FACTOR);
    expect(outcomes.read).toBeGreaterThan(1000 * FACTOR);
  });

  it.each(FAILURES)(
    'notices when %s',
    async (kind) => {
      await expect(watchdog.run({ kind, seed: 5, runs: 3 })).rejects.toThrow(NOTICED[kind]);
    },
    LONG,
  );
});
