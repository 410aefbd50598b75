/**
 * The live preview's map, fitted where there are no training clips: a linear map from a code's vector to the colour
 * that the decoder gives to a field filled with that code alone. In such a field every layer's value is the same at
 * all places, so that a convolution is a matrix (the sum of its taps), and no backend is needed. Up-convolutions
 * alternate between the places of a stride there; their mean is taken, which is the one approximation.
 *
 * Not made for group norms: over a flat field their statistics have nothing to do with those of a clip.
 */
import type { TokenizerConfig } from '../../config/model';
import type { PlainTensor } from '../checkpoint/layout';

/** One of the model's tensors, float32, in our layout. */
export type LoadTensor = (name: string) => Promise<PlainTensor>;

export interface FlatPreview {
  /** [D, 3] */
  readonly weight: Float32Array<ArrayBuffer>;
  /** [3] */
  readonly bias: Float32Array<ArrayBuffer>;
  /** Root mean square of what the fit is off, over the codes used; colours range over ±0.5. */
  readonly error: number;
}

/** More codes than this are not needed for a map of a few hundred numbers. */
const MOST_CODES = 2048;
/** Keeps the fit definite where codes lie in a subspace: a share of the mean square of the vectors. */
const RIDGE = 1e-4;

/** @returns undefined for tokenizers with group norms */
export async function fitFlatPreview(
  config: TokenizerConfig,
  load: LoadTensor,
): Promise<FlatPreview | undefined> {
  if (config.norm === 'group') return undefined;
  const width = config.codeWidth;
  const codes = sampleRows(await load('tokenizer.codebook'), MOST_CODES);
  const colors = await decodeFlat(config, load, codes);
  return fitLinear(codes, colors, width);
}

/** Every n-th row, so that there are `most` at most. */
function sampleRows({ shape, values }: PlainTensor, most: number): Float32Array[] {
  const [rows = 0, width = 0] = shape;
  const step = Math.max(1, Math.ceil(rows / most));
  const picked: Float32Array[] = [];
  for (let row = 0; row < rows; row += step) picked.push(values.slice(row * width, (row + 1) * width));
  return picked;
}

type Layer = (x: Float32Array) => Float32Array;

/** Codes [n][D] to colours [n][3], layer by layer, so that one layer's weights are in memory at a time. */
async function decodeFlat(
  config: TokenizerConfig,
  load: LoadTensor,
  codes: readonly Float32Array[],
): Promise<Float32Array[]> {
  const dense = (name: string, share = 1) => denseLayer(load, name, share);
  const normSilu = (name: string) => normSiluLayer(config, load, name);
  let values = codes.map(await dense('tokenizer.postQuantization'));
  values = values.map(await normSilu('tokenizer.decoder.inputNorm'));
  for (const [i, stage] of config.decoder.entries()) {
    const name = `tokenizer.decoder.stages.${i}`;
    const [t, h, w] = stage.stride;
    values = values.map(await dense(`${name}.up`, 1 / (t * h * w)));
    for (let j = 0; j < stage.residualBlocks; j++) {
      let inner = values.map(await normSilu(`${name}.blocks.${j}.norm1`));
      inner = inner.map(await dense(`${name}.blocks.${j}.conv1`));
      inner = inner.map(await normSilu(`${name}.blocks.${j}.norm2`));
      inner = inner.map(await dense(`${name}.blocks.${j}.conv2`));
      values = values.map((x, n) => x.map((value, c) => value + (inner[n]?.[c] ?? 0)));
    }
  }
  return values.map(await dense('tokenizer.decoder.output'));
}

/** y = bias + share · Σ over taps of x × kernel. */
async function denseLayer(load: LoadTensor, name: string, share: number): Promise<Layer> {
  const kernel = await load(`${name}.weight`); // [kt, kh, kw, in, out]
  const { values: bias } = await load(`${name}.bias`);
  const [inputs = 0, outputs = 0] = kernel.shape.slice(-2);
  const matrix = new Float32Array(inputs * outputs);
  kernel.values.forEach((value, i) => {
    matrix[i % matrix.length] = (matrix[i % matrix.length] ?? 0) + share * value;
  });
  return (x) => {
    const y = Float32Array.from(bias);
    for (let from = 0; from < inputs; from++) {
      const value = x[from] ?? 0;
      for (let to = 0; to < outputs; to++) y[to] = (y[to] ?? 0) + value * (matrix[from * outputs + to] ?? 0);
    }
    return y;
  };
}

async function normSiluLayer(config: TokenizerConfig, load: LoadTensor, name: string): Promise<Layer> {
  const silu = (x: number): number => x / (1 + Math.exp(-x));
  if (config.norm === 'none') return (x) => x.map(silu);
  const { values: scale } = await load(`${name}.scale`);
  const { values: bias } = await load(`${name}.bias`);
  return (x) => x.map((value, c) => silu(value * (scale[c] ?? 1) + (bias[c] ?? 0)));
}

/** Least squares with a ridge, on centred vectors and colours: (XᵀX + λI) W = XᵀY. */
function fitLinear(
  codes: readonly Float32Array[],
  colors: readonly Float32Array[],
  width: number,
): FlatPreview {
  const center = meanOf(codes, width);
  const middle = meanOf(colors, 3);
  const normal = new Float64Array(width * width);
  const right = new Float64Array(width * 3);
  for (const [n, code] of codes.entries()) {
    for (let i = 0; i < width; i++) {
      const x = (code[i] ?? 0) - (center[i] ?? 0);
      for (let j = 0; j <= i; j++) {
        const at = i * width + j;
        normal[at] = (normal[at] ?? 0) + x * ((code[j] ?? 0) - (center[j] ?? 0));
      }
      for (let c = 0; c < 3; c++) {
        right[i * 3 + c] = (right[i * 3 + c] ?? 0) + x * ((colors[n]?.[c] ?? 0) - (middle[c] ?? 0));
      }
    }
  }
  let trace = 0;
  for (let i = 0; i < width; i++) trace += normal[i * width + i] ?? 0;
  const ridge = Math.max((RIDGE * trace) / width, Number.MIN_VALUE);
  for (let i = 0; i < width; i++) normal[i * width + i] = (normal[i * width + i] ?? 0) + ridge;
  const weight = Float32Array.from(solveSymmetric(normal, right, width, 3));
  const bias = Float32Array.from({ length: 3 }, (_, c) => {
    let sum = middle[c] ?? 0;
    for (let i = 0; i < width; i++) sum -= (center[i] ?? 0) * (weight[i * 3 + c] ?? 0);
    return sum;
  });
  return { weight, bias, error: rootMeanSquare(codes, colors, weight, bias) };
}

function meanOf(rows: readonly Float32Array[], width: number): Float64Array {
  const mean = new Float64Array(width);
  for (const row of rows)
    for (let i = 0; i < width; i++) mean[i] = (mean[i] ?? 0) + (row[i] ?? 0) / rows.length;
  return mean;
}

/** Cholesky: A = L Lᵀ (A [n, n] positive definite, its lower half given, overwritten), A x = b for `columns` columns. */
function solveSymmetric(a: Float64Array, b: Float64Array, n: number, columns: number): Float64Array {
  const get = (i: number, j: number): number => a[i * n + j] ?? 0;
  for (let i = 0; i < n; i++) {
    for (let j = 0; j <= i; j++) {
      let sum = get(i, j);
      for (let k = 0; k < j; k++) sum -= get(i, k) * get(j, k);
      a[i * n + j] = i === j ? Math.sqrt(Math.max(sum, Number.MIN_VALUE)) : sum / get(j, j);
    }
  }
  for (let c = 0; c < columns; c++) {
    const at = (i: number): number => b[i * columns + c] ?? 0;
    for (let i = 0; i < n; i++) {
      let sum = at(i);
      for (let k = 0; k < i; k++) sum -= get(i, k) * at(k);
      b[i * columns + c] = sum / get(i, i);
    }
    for (let i = n - 1; i >= 0; i--) {
      let sum = at(i);
      for (let k = i + 1; k < n; k++) sum -= get(k, i) * at(k);
      b[i * columns + c] = sum / get(i, i);
    }
  }
  return b;
}

function rootMeanSquare(
  codes: readonly Float32Array[],
  colors: readonly Float32Array[],
  weight: Float32Array,
  bias: Float32Array,
): number {
  let squares = 0;
  for (const [n, code] of codes.entries()) {
    for (let c = 0; c < 3; c++) {
      let color = bias[c] ?? 0;
      for (const [i, x] of code.entries()) color += x * (weight[i * 3 + c] ?? 0);
      squares += (color - (colors[n]?.[c] ?? 0)) ** 2;
    }
  }
  return Math.sqrt(squares / (3 * codes.length));
}
