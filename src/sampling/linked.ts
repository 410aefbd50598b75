/**
 * Places in (0, 1) to draw codes at, one for every token of the grid, alike where tokens are near to one another. Drawn
 * at such places of their distributions, codes of one step go together, as they do in real clips, though none of them
 * knows of the others: one place for the whole grid decides on night or day, and a hill drawn twice is one hill. What a
 * single token is drawn from is left as it is (a Gaussian copula).
 *
 * How alike was measured on held-out clips (`recipe.evaluate.links`): where each true code lies in what the model gave for
 * it, from dark to bright, and how such places go together, by how far the tokens are from one another and how many were
 * known. What known tokens tell already is not told twice: all links are as short as these are near to one another.
 */
import type { Extent3 } from '../config/model';
import { expOfNegative, log, normalShare } from './elementary';
import type { Noise } from './random';

/**
 * How far links reach along time, height and width, in lengths of the axis times the distance from one known token to the
 * next in a cube of side 1; e times less alike there.
 */
const REACH = { time: 1, height: 0.55, width: 2.2 } as const;
/** The share that places have in common with the picture around them, times that distance; the rest is their own. */
const SHARED = 0.7;

/**
 * [N] for sample `sample` of a step: correlated standard normal numbers, and the share of the normal distribution below
 * each. With nothing known all are the same.
 * @param known tokens that were drawn before
 */
export function linkedPlaces(
  [t, h, w]: Extent3,
  known: number,
  noise: Noise,
  step: number,
  sample: number,
): Float32Array {
  const positions = t * h * w;
  const spacing = known === 0 ? Number.POSITIVE_INFINITY : expOfNegative(-log(known) / 3);
  const correlation = (reach: number, size: number) => expOfNegative(-1 / (reach * size * spacing));
  const normal = (row: number) => noise.normal({ step, sample, row, position: row });
  const field = Float64Array.from({ length: positions }, (_, position) => normal(position));
  relate(field, w, h, correlation(REACH.height, h));
  relate(field, 1, w, correlation(REACH.width, w));
  const shared = Math.min(1, SHARED * spacing);
  const [common, own] = [Math.sqrt(shared), Math.sqrt(1 - shared)];
  for (const [position, picture] of field.entries()) {
    field[position] = common * picture + own * normal(positions + position);
  }
  relate(field, h * w, t, correlation(REACH.time, t));
  return Float32Array.from(field, normalShare);
}

/** Makes normal numbers correlated with their neighbours along an axis of `size` places that are `stride` apart. */
function relate(field: Float64Array, stride: number, size: number, correlation: number): void {
  const fresh = Math.sqrt(1 - correlation * correlation);
  for (let position = stride; position < field.length; position++) {
    if (Math.floor(position / stride) % size === 0) continue;
    field[position] = correlation * (field[position - stride] ?? 0) + fresh * (field[position] ?? 0);
  }
}
