/**
 * The comparison of three families of transformers at growing numbers of tokens: what can be asked for, what is
 * measured, and the exponent that the measurements come to. Plain numbers; how they are measured is the pipeline's.
 */

/** MeBT, a dense bidirectional transformer, and an autoregressive one, of equal width and depth. */
export const FAMILIES = ['mebt', 'dense', 'autoregressive'] as const;
export type Family = (typeof FAMILIES)[number];

export interface ComparisonOptions {
  /** Numbers of tokens, ascending. */
  readonly sizes: readonly number[];
  /** ms for everything; a pass is not begun that would not fit in what is left of it. */
  readonly budget: number;
  /** Bytes of tensors beyond the weights; a pass that is expected to need more is not begun. */
  readonly memory: number;
}

export const DEFAULT_COMPARISON: ComparisonOptions = {
  sizes: [256, 512, 1024, 2048, 4096, 8192],
  budget: 20_000,
  memory: 512 * 2 ** 20,
};

/** One family at one number of tokens. */
export interface ComparisonPoint {
  readonly family: Family;
  readonly tokens: number;
  /**
   * mebt, dense: one forward pass, half of the tokens context and half of them predicted; the median of `runs`.
   * autoregressive: all N steps, one token each.
   */
  readonly milliseconds: number;
  /** Measured passes; for the autoregressive family, measured steps. */
  readonly runs: number;
  /** `milliseconds` is extrapolated from `runs` of the N steps. */
  readonly extrapolated: boolean;
  /** The most bytes that tensors made in the pass held at one moment: activations and caches, not the weights. */
  readonly bytes: number;
}

/** Why a family was not measured at more tokens. */
export type ComparisonEnd = 'largest' | 'time' | 'memory';

export interface FamilySummary {
  readonly end: ComparisonEnd;
  /** Null where fewer than two sizes were measured. */
  readonly growth: Growth | null;
}

export type FamilySummaries = Readonly<Record<Family, FamilySummary>>;

/** `measuring` before each point, and one `summary` as the last event. */
export type ComparisonEvent =
  | {
      readonly type: 'measuring';
      readonly family: Family;
      readonly tokens: number;
      /** ms of the budget. */
      readonly spent: number;
    }
  | { readonly type: 'point'; readonly point: ComparisonPoint }
  | { readonly type: 'summary'; readonly families: FamilySummaries };

/** Time grew as tokens to the power of `exponent`, from `from` to `to` tokens. */
export interface Growth {
  readonly exponent: number;
  readonly from: number;
  readonly to: number;
}

/** Smaller passes are ruled by fixed costs. */
const FROM_TOKENS = 1024;
const FEWEST_POINTS = 3;

/**
 * Least squares through log time against log tokens, over the points from 1,024 tokens on, or over the last three
 * where there are fewer than three of those.
 */
export function growthOf(points: readonly Pick<ComparisonPoint, 'tokens' | 'milliseconds'>[]): Growth | null {
  const ascending = points.toSorted((a, b) => a.tokens - b.tokens);
  const large = ascending.filter(({ tokens }) => tokens >= FROM_TOKENS);
  const fitted = large.length >= FEWEST_POINTS ? large : ascending.slice(-FEWEST_POINTS);
  const [first, last] = [fitted[0], fitted.at(-1)];
  if (!first || !last || first.tokens === last.tokens) return null;
  const x = fitted.map(({ tokens }) => Math.log(tokens));
  const y = fitted.map(({ milliseconds }) => Math.log(milliseconds));
  const [meanX, meanY] = [mean(x), mean(y)];
  const covariance = x.reduce((sum, value, i) => sum + (value - meanX) * ((y[i] ?? 0) - meanY), 0);
  const variance = x.reduce((sum, value) => sum + (value - meanX) ** 2, 0);
  return { exponent: covariance / variance, from: first.tokens, to: last.tokens };
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
