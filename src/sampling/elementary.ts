/**
 * exp and log made of IEEE additions, multiplications and divisions only, so that every JavaScript engine
 * gives the same bits: `Math.exp` and `Math.log` may differ in the last one, and a near-tie between two codes
 * could then fall differently on another machine. Whole rows at a time where speed counts: V8 compiles such a
 * loop to something two to five times as fast as calls across modules.
 */

const LN2_HIGH = 0.6931471803691238; // the upper 32 bits of ln 2, so that n * LN2_HIGH is exact
const LN2_LOW = 1.908214929270588e-10;
const LN2 = LN2_HIGH + LN2_LOW;

/** 2^i at index i + POWER_BIAS, exact. */
const POWER_BIAS = 1074;
const POWERS = powersOfTwo();

/** e^(j · ln 2 / 64) for j = 0 … 63. */
const PARTS = 64;
const PART = LN2 / PARTS;
const ROOTS = Float64Array.from({ length: PARTS }, (_, j) => taylorExp(j * PART));

/** Below this float32 softmax gives 0. */
const EXP_UNDERFLOW = -104;

function powersOfTwo(): Float64Array {
  const powers = new Float64Array(POWER_BIAS + 1024);
  powers[POWER_BIAS] = 1;
  for (let i = POWER_BIAS; i > 0; i--) powers[i - 1] = (powers[i] ?? 0) / 2;
  for (let i = POWER_BIAS; i < powers.length - 1; i++) powers[i + 1] = (powers[i] ?? 0) * 2;
  return powers;
}

function taylorExp(x: number): number {
  let sum = 1;
  for (let n = 24; n > 0; n--) sum = 1 + (sum * x) / n;
  return sum;
}

/** e^x to 1e-13 for x <= 0; 0 below EXP_UNDERFLOW and for NaN. */
function expOfNegative(x: number): number {
  if (!(x >= EXP_UNDERFLOW)) return 0;
  const n = (x * (1 / PART) - 0.5) | 0; // x = n * PART + r, the nearest n
  const r = x - n * PART;
  const series = 1 + r * (1 + r * (1 / 2 + r * (1 / 6 + r * (1 / 24))));
  return (ROOTS[n & (PARTS - 1)] ?? 1) * series * (POWERS[(n >> 6) + POWER_BIAS] ?? 0);
}

/** out[i] = e^((row[i] - max) * scale), of which it returns the sum. `max` is the row's largest value. */
export function expRow(row: Float32Array, max: number, scale: number, out: Float32Array): number {
  let sum = 0;
  for (let i = 0; i < row.length; i++) {
    const e = expOfNegative(((row[i] ?? 0) - max) * scale);
    out[i] = e;
    sum += e;
  }
  return sum;
}

/**
 * out[i] = -ln((words[i] + 1/2) / 2^32), an exponential(1) number, to 6e-11 (float32 keeps less). The leading
 * zeros of the word are the exponent, so no float has to be taken apart.
 */
export function negativeLogs(words: Uint32Array, out: Float32Array): void {
  for (let i = 0; i < out.length; i++) {
    const word = words[i] ?? 0;
    let halvings = Math.clz32(word);
    let m = (word + 0.5) * (POWERS[POWER_BIAS - 32 + halvings] ?? 0); // [0.5, 1); for a zero word 0.5
    if (m < Math.SQRT1_2) {
      m *= 2;
      halvings += 1;
    }
    const f = (m - 1) / (m + 1); // m - 1 is exact, so logarithms near 0 keep their relative accuracy; |f| < 0.172
    const s = f * f;
    const series = 1 + s * (1 / 3 + s * (1 / 5 + s * (1 / 7 + s * (1 / 9 + s * (1 / 11)))));
    out[i] = halvings * LN2 - 2 * f * series;
  }
}

const float64 = new Float64Array(1);
const float64Words = new Uint32Array(float64.buffer);
const HIGH_WORD = new Uint8Array(new Uint32Array([1]).buffer)[0] === 1 ? 1 : 0; // little endian: the second

/** ln x to 3e-16 for x > 0; -Infinity at 0, NaN below. */
export function log(x: number): number {
  if (!(x > 0)) return x === 0 ? Number.NEGATIVE_INFINITY : Number.NaN;
  if (x === Number.POSITIVE_INFINITY) return x;
  if (x < 2.2250738585072014e-308) return log(x * 2 ** 54) - 54 * LN2_HIGH - 54 * LN2_LOW; // subnormal
  float64[0] = x;
  const high = float64Words[HIGH_WORD] ?? 0;
  let exponent = (high >>> 20) - 1022;
  float64Words[HIGH_WORD] = (high & 0xfffff) | 0x3fe00000; // the mantissa, in [0.5, 1)
  let m = float64[0] ?? 1;
  if (m < Math.SQRT1_2) {
    m *= 2;
    exponent -= 1;
  }
  // 2 artanh(f), f = (m - 1) / (m + 1); the first term left out, f^20 / 21, is below 3e-17.
  const f = (m - 1) / (m + 1);
  const s = f * f;
  let series = 0;
  for (let odd = 19; odd >= 3; odd -= 2) series = s * (1 / odd + series);
  return exponent * LN2_HIGH + (2 * f + (2 * f * series + exponent * LN2_LOW));
}
