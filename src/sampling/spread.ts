/**
 * An order of the grid's positions that does not look at what was drawn: each token far from the ones just before it, in
 * time and in the picture. What is drawn in one step is drawn independently, so tokens that say much about one another
 * should not be; neighbours do. Confidence prefers what is common, which this does not.
 */
import type { Extent3 } from '../config/model';
import type { Noise } from './random';

/**
 * (1/g, 1/g², 1/g³) of the g with g⁴ = g + 1: their multiples, modulo 1, fill a cube evenly, and so do their projections
 * on its faces and edges (Roberts, "The unreasonable effectiveness of quasirandom sequences", 2018).
 */
const STEPS = [0.8191725133961645, 0.6710436067037893, 0.5497004779019703] as const;
/** Multiples that are tried for each position; the few that none has met by then come last. */
const TRIES = 32;
/** `draw` of the permutation that moves the order; those of revisions count up from 0. */
const DRAW = 0xffffffff;

/** The turn of every position, 0 … N - 1; moved as a whole by a place that `noise` draws. */
export function spreadTurns([t, h, w]: Extent3, noise: Noise): Int32Array {
  const positions = t * h * w;
  const turns = new Int32Array(positions).fill(-1);
  const start = noise.permutation(DRAW, 0, positions)[0] ?? 0;
  // The middle of a position, in shares of each axis.
  const shift = [
    (Math.floor(start / (h * w)) + 0.5) / t,
    ((Math.floor(start / w) % h) + 0.5) / h,
    ((start % w) + 0.5) / w,
  ] as const;
  let turn = 0;
  for (let k = 1; k <= TRIES * positions && turn < positions; k++) {
    const place =
      (cell(shift[0], k, STEPS[0], t) * h + cell(shift[1], k, STEPS[1], h)) * w +
      cell(shift[2], k, STEPS[2], w);
    if (turns[place] === -1) turns[place] = turn++;
  }
  for (let place = 0; place < positions; place++) if (turns[place] === -1) turns[place] = turn++;
  return turns;
}

const cell = (shift: number, k: number, step: number, size: number): number =>
  Math.floor(((shift + k * step) % 1) * size);
