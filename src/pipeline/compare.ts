/**
 * The three families of transformers at growing numbers of tokens, within a time budget: MeBT, dense, autoregressive,
 * over one set of weights. Always the measurement that promises to be the cheapest comes next, so that the budget is
 * left to what grows fastest. How one is taken is in passes.ts, what it says in config/comparison.ts.
 */
import {
  type ComparisonEnd,
  type ComparisonEvent,
  type ComparisonOptions,
  DEFAULT_COMPARISON,
  FAMILIES,
  type Family,
  type FamilySummaries,
  type FamilySummary,
  growthOf,
} from '../config/comparison';
import { familiesOf } from '../model/families';
import type { TransformerParameters } from '../model/transformer';
import { nextTask } from './nextTask';
import { type Measurement, measureFamily, warmUp } from './passes';

/** How a family stands. */
interface Entry {
  readonly family: Family;
  readonly measured: Measurement[];
  end: ComparisonEnd | null;
}

/** How one measurement is taken, so that tests can stand in for it. */
export type Measure = typeof measureFamily;

/**
 * @param transformer whose weights are borrowed and whose width, depth and modes are compared; it is left as it was
 * @throws RangeError for sizes that are none; the signal's reason once aborted. Leaves no tensor behind.
 */
export async function* compareFamilies(
  transformer: TransformerParameters,
  options: ComparisonOptions = DEFAULT_COMPARISON,
  signal?: AbortSignal,
  measure: Measure = measureFamily,
): AsyncGenerator<ComparisonEvent, void, undefined> {
  const { sizes, budget } = options;
  checkSizes(sizes);
  const began = performance.now();
  const families = familiesOf(transformer, Math.max(...sizes));
  const entries = FAMILIES.map((family): Entry => ({ family, measured: [], end: null }));
  try {
    await warmUp(families, signal);
    for (;;) {
      const spent = performance.now() - began;
      for (const entry of entries) entry.end ??= endOf(entry, options, budget - spent);
      const open = entries.filter(({ end }) => end === null);
      const [next] = open.toSorted((a, b) => predictedCost(a, sizes) - predictedCost(b, sizes));
      if (!next) break;
      const { family, measured } = next;
      const tokens = sizes[measured.length] ?? 0;
      yield { type: 'measuring', family, tokens, spent };
      await nextTask();
      signal?.throwIfAborted();
      const toCome = open.reduce((count, entry) => count + sizes.length - entry.measured.length, 0);
      const measurement = await measure(families, family, tokens, (budget - spent) / toCome, signal);
      measured.push(measurement);
      yield { type: 'point', point: measurement.point };
    }
  } finally {
    families.dispose();
  }
  yield { type: 'summary', families: summariesOf(entries) };
}

function checkSizes(sizes: readonly number[]): void {
  const rising = sizes.every((size, i) => Number.isInteger(size) && size > (sizes[i - 1] ?? 15));
  if (sizes.length === 0 || !rising) {
    throw new RangeError(
      `compareFamilies: sizes must be whole numbers from 16 on, each larger than the one before; got ${sizes.join(', ') || 'none'}.`,
    );
  }
}

/** Why the family's next measurement is not made; null when it is. The smallest one is made whatever the budget. */
function endOf(entry: Entry, { sizes, memory }: ComparisonOptions, left: number): ComparisonEnd | null {
  if (entry.measured.length === sizes.length) return 'largest';
  if (predictedCost(entry, sizes) > left) return entry.measured.length === 0 ? null : 'time';
  return predicted(entry, sizes, ({ point }) => point.bytes) > memory ? 'memory' : null;
}

const predictedCost = (entry: Entry, sizes: readonly number[]): number =>
  predicted(entry, sizes, ({ cost }) => cost);

/** Power of the number of tokens that a family's cost is expected to grow with until two sizes tell. */
const EXPECTED: Readonly<Record<Family, number>> = { mebt: 1, dense: 2, autoregressive: 1 };
/** Nothing grows faster. */
const STEEPEST = 2;
/** What grew linearly so far may have a quadratic part that only begins to show. */
const CAUTION = 0.25;

/**
 * The next size's value, from the last one and the slope between the last two in log-log, or the one that is expected
 * where there is but one. 0 before the first.
 */
function predicted(
  { family, measured }: Entry,
  sizes: readonly number[],
  value: (measurement: Measurement) => number,
): number {
  const [before, last] = measured.length > 1 ? measured.slice(-2) : [undefined, measured[0]];
  const next = sizes[measured.length];
  if (!last || next === undefined) return 0;
  const ratio = next / last.point.tokens;
  if (!before) return value(last) * ratio ** EXPECTED[family];
  const slope = Math.log(value(last) / value(before)) / Math.log(last.point.tokens / before.point.tokens);
  return value(last) * ratio ** Math.min(STEEPEST, Math.max(1, slope) + CAUTION);
}

function summariesOf(entries: readonly Entry[]): FamilySummaries {
  const summary = ({ measured, end }: Entry): FamilySummary => ({
    end: end ?? 'time',
    growth: growthOf(measured.map(({ point }) => point)),
  });
  return Object.fromEntries(entries.map((entry) => [entry.family, summary(entry)])) as FamilySummaries;
}
