/**
 * float32 values to the bytes that a shard holds (manifest.ts says how they lie), and how far they are off. The
 * counterpart of ../dequantize.ts. Which tensor gets which type is in storage.ts.
 */
import { rowsAndColumns, type StoredDtype } from '../manifest';

export interface StoredAs {
  readonly dtype: StoredDtype;
  /** For int4: rows that share a scale. */
  readonly group?: number;
}

export interface Quantized extends StoredAs {
  readonly data: Uint8Array<ArrayBuffer>;
  /** float32 scales, for int8 and int4. */
  readonly scale?: Uint8Array<ArrayBuffer>;
  /** Relative L2: ‖stored − values‖ / ‖values‖; 0 for float32. */
  readonly error: number;
}

/** The largest finite half. */
const LARGEST_HALF = 65_504;

/**
 * float16 keeps what it cannot hold (beyond 65,504) as float32.
 * @throws RangeError for values that are not finite
 */
export function quantize(
  values: Float32Array<ArrayBuffer>,
  shape: readonly number[],
  { dtype, group = 64 }: StoredAs,
): Quantized {
  const peak = largest(values);
  if (!Number.isFinite(peak)) throw new RangeError('quantize: there are NaN or infinite values.');
  const [rows, columns] = rowsAndColumns(shape);
  if (dtype === 'int8') return toBytes(values, rows, columns);
  if (dtype === 'int4') return toNibbles(values, rows, columns, group);
  if (dtype === 'float16' && peak <= LARGEST_HALF) return toHalves(values);
  return { dtype: 'float32', data: bytesOf(values), error: 0 };
}

/** Largest |x|; NaN where there is one. */
function largest(values: Float32Array): number {
  let most = 0;
  for (let i = 0; i < values.length; i++) {
    const size = Math.abs(values[i] ?? 0);
    if (!(size <= most)) most = size; // also when size is NaN
    if (Number.isNaN(most)) return most;
  }
  return most;
}

function bytesOf(array: ArrayBufferView<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  return new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
}

function relative(squaredError: number, squares: number): number {
  return squares > 0 ? Math.sqrt(squaredError / squares) : 0;
}

/** A scale per column: largest |w| / 127, and 1 for a column of zeros. */
function toBytes(values: Float32Array, rows: number, columns: number): Quantized {
  const scales = new Float32Array(columns);
  for (let row = 0; row < rows; row++) {
    for (let c = 0, i = row * columns; c < columns; c++, i++) {
      const size = Math.abs(values[i] ?? 0);
      if (size > (scales[c] ?? 0)) scales[c] = size;
    }
  }
  for (let c = 0; c < columns; c++) scales[c] = stepOf(scales[c] ?? 0, 127);
  const data = new Int8Array(values.length);
  let [squaredError, squares] = [0, 0];
  for (let row = 0; row < rows; row++) {
    for (let c = 0, i = row * columns; c < columns; c++, i++) {
      const value = values[i] ?? 0;
      const scale = scales[c] ?? 1;
      const level = Math.max(-127, Math.min(127, Math.round(value / scale)));
      const off = level * scale - value;
      data[i] = level;
      squaredError += off * off;
      squares += value * value;
    }
  }
  return {
    dtype: 'int8',
    data: bytesOf(data),
    scale: bytesOf(scales),
    error: relative(squaredError, squares),
  };
}

/** The step that reaches `peak` in `levels` steps. So small a peak that the step would be 0 counts as zero. */
function stepOf(peak: number, levels: number): number {
  const step = Math.fround(peak / levels);
  return step === 0 ? 1 : step;
}

/** Shares of the peak that the outermost level may stand for: cutting a few values makes the steps finer. */
const CUTS = [1, 0.9, 0.8];

/**
 * A scale per group of rows and column. -8 stands for the largest value of a group, or what is left of it after a cut (a
 * positive one has a negative scale): a twentieth less error than with ±7. Of the CUTS, the one with the least error.
 */
function toNibbles(values: Float32Array, rows: number, columns: number, group: number): Quantized {
  const wordsPerRow = Math.ceil(columns / 8);
  const words = new Uint32Array(rows * wordsPerRow);
  const scales = new Float32Array(Math.ceil(rows / group) * columns);
  let [squaredError, squares] = [0, 0];
  for (let first = 0; first < rows; first += group) {
    const last = Math.min(rows, first + group);
    const best = scales.subarray((first / group) * columns, (first / group + 1) * columns);
    chooseSteps(values, first, last, columns, best);
    for (let row = first; row < last; row++) {
      for (let c = 0, i = row * columns; c < columns; c++, i++) {
        const value = values[i] ?? 0;
        const step = best[c] ?? 1;
        const level = nibble(value, step);
        const off = level * step - value;
        squaredError += off * off;
        squares += value * value;
        const word = row * wordsPerRow + (c >> 3);
        words[word] = (words[word] ?? 0) | ((level & 15) << (4 * (c & 7)));
      }
    }
  }
  const error = relative(squaredError, squares);
  return { dtype: 'int4', group, data: bytesOf(words), scale: bytesOf(scales), error };
}

const nibble = (value: number, step: number): number => Math.max(-8, Math.min(7, Math.round(value / step)));

/** Fills `best` with the step of each column for the rows [first, last). */
function chooseSteps(
  values: Float32Array,
  first: number,
  last: number,
  columns: number,
  best: Float32Array,
): void {
  const peaks = new Float32Array(columns); // with their signs
  for (let row = first; row < last; row++) {
    for (let c = 0, i = row * columns; c < columns; c++, i++) {
      const value = values[i] ?? 0;
      if (Math.abs(value) > Math.abs(peaks[c] ?? 0)) peaks[c] = value;
    }
  }
  const least = new Float64Array(columns).fill(Number.POSITIVE_INFINITY);
  const steps = new Float32Array(columns);
  const errors = new Float64Array(columns);
  for (const cut of CUTS) {
    for (let c = 0; c < columns; c++) steps[c] = stepOf(cut * (peaks[c] ?? 0), -8);
    errors.fill(0);
    for (let row = first; row < last; row++) {
      for (let c = 0, i = row * columns; c < columns; c++, i++) {
        const value = values[i] ?? 0;
        const step = steps[c] ?? 1;
        const off = nibble(value, step) * step - value;
        errors[c] = (errors[c] ?? 0) + off * off;
      }
    }
    for (let c = 0; c < columns; c++) {
      if ((errors[c] ?? 0) < (least[c] ?? 0)) {
        least[c] = errors[c] ?? 0;
        best[c] = steps[c] ?? 1;
      }
    }
  }
}

function toHalves(values: Float32Array): Quantized {
  const halves = new Uint16Array(values.length);
  let [squaredError, squares] = [0, 0];
  for (let i = 0; i < values.length; i++) {
    const value = values[i] ?? 0;
    const half = floatToHalf(value);
    const off = halfToFloatFast(half) - value;
    halves[i] = half;
    squaredError += off * off;
    squares += value * value;
  }
  return { dtype: 'float16', data: bytesOf(halves), error: relative(squaredError, squares) };
}

const floatOf = new Float32Array(1);
const bitsOf = new Uint32Array(floatOf.buffer);

/** float32 to the nearest half, ties to even, for |value| ≤ 65,504. */
export function floatToHalf(value: number): number {
  floatOf[0] = value;
  const bits = bitsOf[0] ?? 0;
  const sign = (bits >>> 16) & 0x8000;
  const size = bits & 0x7fff_ffff;
  if (size < 0x3880_0000) {
    // Below 2^-14 halves are whole multiples of 2^-24.
    return sign | roundToEven(Math.abs(value) * 2 ** 24);
  }
  // From the exponent's bias of 127 to 15; the 13 lowest bits are rounded away, and may carry upwards.
  const rebased = size - 0x3800_0000;
  return sign | ((rebased + 0xfff + ((rebased >>> 13) & 1)) >>> 13);
}

function roundToEven(x: number): number {
  const low = Math.floor(x);
  const rest = x - low;
  return rest > 0.5 || (rest === 0.5 && low % 2 === 1) ? low + 1 : low;
}

/** Finite halves to float32. */
function halfToFloatFast(half: number): number {
  const exponent = (half >> 10) & 31;
  if (exponent === 0) return (half & 0x8000 ? -1 : 1) * (half & 0x3ff) * 2 ** -24;
  bitsOf[0] = ((half & 0x8000) << 16) | (((half & 0x7fff) << 13) + 0x3800_0000);
  return floatOf[0] ?? 0;
}
