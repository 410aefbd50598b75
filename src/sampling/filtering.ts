/**
 * From logits to one code per target: temperature, top-k, softmax, top-p, and the race of probability over
 * exponential noise, which the code with the largest ratio wins (that is a draw from the distribution, and with
 * the same noise the same draw on every backend). Typed arrays only.
 */
import { expRow } from './elementary';
import type { DrawSite, Noise } from './random';

export interface Filter {
  /** Divides the logits; 0 leaves only the largest. */
  readonly temperature: number;
  /** Keeps the k largest logits and whatever ties with the last of them; undefined or 0 keeps all. */
  readonly topK?: number | undefined;
  /** Drops a code once those before it hold this much mass; undefined or 1 keeps all. */
  readonly topP?: number | undefined;
}

/** Keeps temperature 0 finite. */
const TEMPERATURE_EPSILON = 1e-8;

/** What codes are drawn for, and how. */
export interface DrawRequest {
  readonly batch: number;
  /** [B, NT] positions. */
  readonly target: Int32Array;
  readonly filter: Filter;
  readonly noise: Noise;
  /** Counts forward passes from 0, over all phases. */
  readonly step: number;
}

export interface Draws {
  /** [B, NT] the code drawn for each target. */
  readonly samples: Int32Array<ArrayBuffer>;
  /** [B, NT] its probability after filtering. */
  readonly scores: Float32Array<ArrayBuffer>;
}

/** Rows that a chunk of logits holds: `count` of all B·NT rows, from row `first` on. */
export interface Rows {
  readonly first: number;
  readonly count: number;
}

/** Room for the codes of every target of a request. */
export function emptyDraws({ target }: Pick<DrawRequest, 'target'>): Draws {
  return { samples: new Int32Array(target.length), scores: new Float32Array(target.length) };
}

/**
 * Draws a code for each of `rows` into `draws`. `logits` [rows.count, V], in the order of the request's targets.
 * One pass over each row when nothing is cut; no allocation per row.
 */
export function drawRows(
  logits: Float32Array,
  { first, count }: Rows,
  { batch, target, filter, noise, step }: DrawRequest,
  { samples, scores }: Draws,
): void {
  if (count === 0) return;
  const vocabulary = logits.length / count;
  const perSample = target.length / batch;
  if (!Number.isInteger(vocabulary) || vocabulary === 0 || !Number.isInteger(perSample)) {
    throw new Error(
      `Draw: ${logits.length} logits do not divide into ${count} rows, or ${target.length} targets into ${batch} samples.`,
    );
  }
  const race = new Float32Array(vocabulary);
  const weights = new Float32Array(vocabulary);
  for (let i = 0; i < count; i++) {
    const row = logits.subarray(i * vocabulary, (i + 1) * vocabulary);
    const sum = filterRow(row, filter, weights);
    const at = first + i;
    const site: DrawSite = {
      step,
      sample: Math.floor(at / perSample),
      row: at % perSample,
      position: target[at] ?? 0,
    };
    noise.fillCodes(site, race);
    const winner = largestRatio(weights, race);
    samples[at] = winner;
    scores[at] = (weights[winner] ?? 0) / sum;
  }
}

/** Draws a code for every target from all their logits [B, NT, V] at once. */
export function drawCodes(logits: Float32Array, request: DrawRequest): Draws {
  const draws = emptyDraws(request);
  drawRows(logits, { first: 0, count: request.target.length }, request, draws);
  return draws;
}

/** Probabilities [V] of one row after temperature, top-k, softmax and top-p, renormalised. */
export function probabilities(row: Float32Array, filter: Filter): Float32Array {
  const weights = new Float32Array(row.length);
  const sum = filterRow(row, filter, weights);
  return weights.map((weight) => weight / sum);
}

/** What logits are multiplied with: the reciprocal of the temperature. */
export function logitScale({ temperature }: Filter): number {
  return 1 / (temperature + TEMPERATURE_EPSILON);
}

/** Writes unnormalised weights, 0 for what is cut, and returns their sum. */
function filterRow(row: Float32Array, filter: Filter, weights: Float32Array): number {
  const { topK, topP } = filter;
  const max = largest(row);
  if (!Number.isFinite(max))
    throw new Error(`Draw: the largest logit of a row is ${max}; the model's output is broken.`);
  let sum = expRow(row, max, logitScale(filter), weights);
  if (topK !== undefined && topK > 0 && topK < row.length) sum = keepLargest(row, topK, weights);
  if (topP !== undefined && topP < 1) sum = keepMass(weights, sum, topP);
  return sum;
}

function largest(row: Float32Array): number {
  let max = Number.NEGATIVE_INFINITY;
  for (let i = 0; i < row.length; i++) {
    const value = row[i] ?? 0;
    if (!(value <= max)) max = value; // NaN comes through, to be complained about
  }
  return max;
}

/** Top-k: everything below the k-th largest logit goes, what ties with it stays. */
function keepLargest(row: Float32Array, count: number, weights: Float32Array): number {
  const threshold = nthSmallest(row.slice(), row.length - count);
  let sum = 0;
  for (let i = 0; i < row.length; i++) {
    if ((row[i] ?? 0) < threshold) weights[i] = 0;
    else sum += weights[i] ?? 0;
  }
  return sum;
}

/** The n-th smallest value (0-based), by Hoare's quickselect. Reorders `values`. */
function nthSmallest(values: Float32Array, n: number): number {
  let low = 0;
  let high = values.length - 1;
  while (low < high) {
    const pivot = values[(low + high) >> 1] ?? 0;
    let i = low;
    let j = high;
    while (i <= j) {
      while ((values[i] ?? 0) < pivot) i++;
      while ((values[j] ?? 0) > pivot) j--;
      if (i > j) break;
      const swapped = values[i] ?? 0;
      values[i++] = values[j] ?? 0;
      values[j--] = swapped;
    }
    if (n <= j) high = j;
    else if (n >= i) low = i;
    else return pivot;
  }
  return values[n] ?? 0;
}

/**
 * Top-p: in descending order a code goes once the mass before it has reached `mass`; of equal weights the lower
 * codes stay. Sorting bare numbers is native and fast, so the cut is found by weight and then applied.
 */
function keepMass(weights: Float32Array, total: number, mass: number): number {
  const ascending = weights.slice().sort();
  let kept = 0;
  let cut = ascending.length;
  while (cut > 0 && kept / total < mass) kept += ascending[--cut] ?? 0;
  const last = ascending[cut] ?? Number.POSITIVE_INFINITY; // the smallest weight that stays
  let ties = ascending.lastIndexOf(last) - cut + 1;
  for (let i = 0; i < weights.length; i++) {
    const weight = weights[i] ?? 0;
    if (weight < last || (weight === last && ties-- <= 0)) weights[i] = 0;
  }
  return kept;
}

/** First index of the largest weight / noise. */
function largestRatio(weights: Float32Array, race: Float32Array): number {
  let winner = 0;
  let best = -1;
  for (let i = 0; i < weights.length; i++) {
    const ratio = (weights[i] ?? 0) / (race[i] ?? 0);
    if (ratio > best) {
      best = ratio;
      winner = i;
    }
  }
  return winner;
}
