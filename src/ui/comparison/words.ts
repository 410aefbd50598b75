/** What the comparison says: names, figures and sentences. Pure functions; measurements in, text out. */
import type {
  ComparisonEnd,
  ComparisonPoint,
  FamilySummaries,
  FamilySummary,
  Growth,
} from '../../config/comparison';
import { FAMILIES, type Family } from '../../config/comparison';

export const NAMES: Readonly<Record<Family, string>> = {
  mebt: 'MeBT',
  dense: 'Dense',
  autoregressive: 'Autoregressive',
};

/** In the middle of a sentence. */
const INLINE: Readonly<Record<Family, string>> = {
  ...NAMES,
  dense: 'dense',
  autoregressive: 'autoregressive',
};

/** A number of tokens: `8,192`. */
export function countOf(tokens: number): string {
  return tokens.toLocaleString('en');
}

/** `3.2 s`, with as many digits as a table needs; `≈` before what is extrapolated. */
export function timeOf({ milliseconds, extrapolated }: ComparisonPoint): string {
  return `${extrapolated ? '≈ ' : ''}${time(milliseconds)}`;
}

export function time(milliseconds: number): string {
  if (milliseconds < 1000) return `${significant(milliseconds)} ms`;
  if (milliseconds < 120_000) return `${significant(milliseconds / 1000)} s`;
  return `${significant(milliseconds / 60_000)} min`;
}

/** On an axis of powers of ten: `10 ms`, `1,000 s`. */
export function timeTick(milliseconds: number): string {
  return milliseconds < 1000 ? `${significant(milliseconds)} ms` : `${significant(milliseconds / 1000)} s`;
}

/** `27 MB`. */
export function memory(bytes: number): string {
  return bytes < 1e6 ? `${significant(bytes / 1e3)} kB` : `${significant(bytes / 1e6)} MB`;
}

function significant(value: number): string {
  return value >= 100 ? Math.round(value).toLocaleString('en') : String(Number(value.toPrecision(2)));
}

/** A family's share of the sentence about growth. */
export interface GrowthClause {
  readonly family: Family;
  readonly name: string;
  /** `1.02` */
  readonly exponent: string;
  /** `from 1,024 to 8,192 tokens` */
  readonly range: string;
}

export function growthClauses(families: FamilySummaries): GrowthClause[] {
  return FAMILIES.flatMap((family) => {
    const { growth } = families[family];
    return growth
      ? [{ family, name: INLINE[family], exponent: growth.exponent.toFixed(2), range: rangeOf(growth) }]
      : [];
  });
}

function rangeOf({ from, to }: Growth): string {
  return `from ${countOf(from)} to ${countOf(to)} tokens`;
}

const ENDS: Readonly<Record<Exclude<ComparisonEnd, 'largest'>, string>> = {
  time: 'more would not have fitted into the time',
  memory: 'more would have taken too much memory',
};

/** Why families ended before the largest number of tokens, one sentence each. */
export function endSentences(families: FamilySummaries, points: readonly ComparisonPoint[]): string[] {
  return FAMILIES.flatMap((family) => {
    const { end }: FamilySummary = families[family];
    const tokens = points.filter((point) => point.family === family).at(-1)?.tokens;
    return end === 'largest' || tokens === undefined
      ? []
      : [`${NAMES[family]} ends at ${countOf(tokens)} tokens: ${ENDS[end]}.`];
  });
}

/** `≈ extrapolated from 32 steps (256 tokens), 20 (512).`; empty where nothing is. */
export function extrapolationNote(points: readonly ComparisonPoint[]): string {
  const parts = points
    .filter(({ extrapolated }) => extrapolated)
    .map(({ runs, tokens }, i) => `${runs}${i === 0 ? ' steps' : ''} (${countOf(tokens)} tokens)`);
  return parts.length > 0 ? `≈ extrapolated from ${parts.join(', ')}.` : '';
}
