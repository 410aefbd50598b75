/** How a family's line is drawn, in plots and beside its name: colours are CSS's (--family-*), dashes are here. */
import type { Family } from '../../config/comparison';

/** Lengths of dashes and gaps, pixels: families are told apart without colour, too. */
export const DASHES: Readonly<Record<Family, readonly number[]>> = {
  mebt: [],
  dense: [10, 5],
  autoregressive: [2, 4],
};

export function LineSample({ family }: { readonly family: Family }) {
  return (
    <svg
      className="line-sample"
      viewBox="0 0 34 10"
      aria-hidden="true"
      style={{ color: `var(--family-${family})` }}
    >
      <line x1="0" y1="5" x2="34" y2="5" strokeDasharray={DASHES[family].join(' ') || undefined} />
      <circle cx="17" cy="5" r="3.5" />
    </svg>
  );
}
