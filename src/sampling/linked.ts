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

// All of these are to be multiplied by the distance from one known token to the next in a cube of side 1.
/**
 * How far links reach, e times less alike there: in time in latent frames, whatever the clip's length, along height and
 * width in lengths of the axis.
 */
const REACH = { time: 24, height: 0.55, width: 2.2 } as const;
/** Share of a place that it has in common with the picture around it; the rest is its own. */
const COMMON = 0.7;
/** Share that stays through the clip, as hills do; the rest changes, as clouds do. */
const LASTING = 0.6;

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
  const spacing = known === 0 ? Number.POSITIVE_INFINITY : expOfNegative(-log(known) / 3);
  const correlation = (reach: number) => expOfNegative(-1 / (reach * spacing));
  const area = h * w;
  // One picture that stays, and one for each latent frame.
  const values = (1 + t) * area;
  const normals = (first: number) =>
    Float64Array.from({ length: values }, (_, i) =>
      noise.normal({ step, sample, row: first + i, position: first + i }),
    );
  const pictures = normals(0);
  relate(pictures, w, h, correlation(REACH.height * h));
  relate(pictures, 1, w, correlation(REACH.width * w));
  mix(pictures, normals(values), 1 - COMMON * spacing);
  const lasting = pictures.subarray(0, area);
  const field = pictures.subarray(area);
  relate(field, area, t, correlation(REACH.time));
  for (let frame = 0; frame < t; frame++) {
    mix(field.subarray(frame * area, (frame + 1) * area), lasting, LASTING * spacing);
  }
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

/** Normal numbers of two, into the first one; `share` of the variance, from 0 to 1, becomes the other one's. */
function mix(field: Float64Array, other: Float64Array, share: number): void {
  const taken = Math.min(1, Math.max(0, share));
  const [left, added] = [Math.sqrt(1 - taken), Math.sqrt(taken)];
  for (const [i, value] of field.entries()) field[i] = left * value + added * (other[i] ?? 0);
}
