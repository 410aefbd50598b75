/**
 * Random numbers that are a function of where they are used: (seed, stream, sample, step, position, code).
 * The value for one code at one position never depends on the order of the targets, the size of the batch, or
 * what was drawn before. Threefry-2x32 with 20 rounds (Salmon et al., "Parallel random numbers: as easy as
 * 1, 2, 3", 2011), which needs only 32-bit additions, rotations and xors: 64-bit products, as Philox has them,
 * are slow in JavaScript. Same bits on every machine; the logarithm is our own for the same reason.
 */
import { log, negativeLogs } from './elementary';

/** Two 32-bit words of key. */
export type Key = readonly [number, number];

/** The rotations of Threefry-2x32, and the key schedule's parity constant. */
const PARITY = 0x1bd11bda;

/**
 * Encrypts the counters (high, low), (high, low + 1), … and writes two words for each: out[2i], out[2i + 1].
 * `low + i` wraps at 2^32.
 */
export function threefry2x32([k0, k1]: Key, high: number, low: number, out: Uint32Array): void {
  const k2 = k0 ^ k1 ^ PARITY;
  const blocks = out.length >> 1;
  for (let block = 0; block < blocks; block++) {
    let a = (high + k0) | 0;
    let b = (low + block + k1) | 0;
    // Four rounds, then a key injection; five times. Unrolled: a loop over rotations is three times slower.
    a = (a + b) | 0;
    b = ((b << 13) | (b >>> 19)) ^ a;
    a = (a + b) | 0;
    b = ((b << 15) | (b >>> 17)) ^ a;
    a = (a + b) | 0;
    b = ((b << 26) | (b >>> 6)) ^ a;
    a = (a + b) | 0;
    b = ((b << 6) | (b >>> 26)) ^ a;
    a = (a + k1) | 0;
    b = (b + k2 + 1) | 0;
    a = (a + b) | 0;
    b = ((b << 17) | (b >>> 15)) ^ a;
    a = (a + b) | 0;
    b = ((b << 29) | (b >>> 3)) ^ a;
    a = (a + b) | 0;
    b = ((b << 16) | (b >>> 16)) ^ a;
    a = (a + b) | 0;
    b = ((b << 24) | (b >>> 8)) ^ a;
    a = (a + k2) | 0;
    b = (b + k0 + 2) | 0;
    a = (a + b) | 0;
    b = ((b << 13) | (b >>> 19)) ^ a;
    a = (a + b) | 0;
    b = ((b << 15) | (b >>> 17)) ^ a;
    a = (a + b) | 0;
    b = ((b << 26) | (b >>> 6)) ^ a;
    a = (a + b) | 0;
    b = ((b << 6) | (b >>> 26)) ^ a;
    a = (a + k0) | 0;
    b = (b + k1 + 3) | 0;
    a = (a + b) | 0;
    b = ((b << 17) | (b >>> 15)) ^ a;
    a = (a + b) | 0;
    b = ((b << 29) | (b >>> 3)) ^ a;
    a = (a + b) | 0;
    b = ((b << 16) | (b >>> 16)) ^ a;
    a = (a + b) | 0;
    b = ((b << 24) | (b >>> 8)) ^ a;
    a = (a + k1) | 0;
    b = (b + k2 + 4) | 0;
    a = (a + b) | 0;
    b = ((b << 13) | (b >>> 19)) ^ a;
    a = (a + b) | 0;
    b = ((b << 15) | (b >>> 17)) ^ a;
    a = (a + b) | 0;
    b = ((b << 26) | (b >>> 6)) ^ a;
    a = (a + b) | 0;
    b = ((b << 6) | (b >>> 26)) ^ a;
    out[2 * block] = a + k2;
    out[2 * block + 1] = b + k0 + 5;
  }
}

/** Where a random number is used. `step` counts forward passes from 0, over all phases. */
export interface DrawSite {
  readonly step: number;
  /** Which clip of the batch. */
  readonly sample: number;
  /** Row in the order of the targets; for noise that was recorded in that order. */
  readonly row: number;
  /** Position of the token in the grid. */
  readonly position: number;
}

/** All randomness of the samplers. The product feeds `CounterNoise`, tests feed recorded draws. */
export interface Noise {
  /** Exponential(1) noise for each code of one target, out[code]. */
  fillCodes(site: DrawSite, out: Float32Array): void;
  /** Exponential(1) noise on the confidence of one target. */
  choice(site: DrawSite): number;
  /** Standard normal score of one target, for orders that do not look at confidence. */
  normal(site: DrawSite): number;
  /** A permutation of 0 … length - 1; `draw` counts the permutations of a run, over all phases. */
  permutation(draw: number, sample: number, length: number): Int32Array;
}

const STREAM = { codes: 0, choice: 1, normal: 2, permutation: 3 } as const;
/** Added to a stream's number for the extra bits of extreme words. */
const REFINE = 4;
const STREAMS = 8;

/** Codes of one position share this many counters, two codes to each. */
const COUNTERS_PER_POSITION = 1 << 15;
export const MAX_CODES = 2 * COUNTERS_PER_POSITION;

/** The counter-based generator behind `Noise`. `seed` is a uint32. */
export class CounterNoise implements Noise {
  /** The seed as an int32: its 32 bits are what counts. */
  readonly seed: number;
  #words = new Uint32Array(0);
  readonly #pair = new Uint32Array(2);

  constructor(seed: number) {
    this.seed = seed | 0;
  }

  fillCodes({ step, sample, position }: DrawSite, out: Float32Array): void {
    const codes = out.length;
    if (codes > MAX_CODES)
      throw new Error(`Noise: ${codes} codes, but a position has counters for ${MAX_CODES}.`);
    if (this.#words.length < codes) this.#words = new Uint32Array(codes + (codes & 1));
    const first = position * COUNTERS_PER_POSITION;
    threefry2x32(this.#key(STREAM.codes, sample), step, first, this.#words);
    negativeLogs(this.#words, out);
    for (let code = 0; code < codes; code++) {
      const word = this.#words[code] ?? 0;
      if (isExtreme(word)) out[code] = this.#refined(word, STREAM.codes, sample, step, first, code);
    }
  }

  choice({ step, sample, position }: DrawSite): number {
    threefry2x32(this.#key(STREAM.choice, sample), step, position, this.#pair);
    return this.#refined(this.#pair[0] ?? 0, STREAM.choice, sample, step, position, 0);
  }

  /** Marsaglia's polar method, which needs no sine; attempts take counters of their own. */
  normal({ step, sample, position }: DrawSite): number {
    for (let attempt = 0; ; attempt++) {
      threefry2x32(
        this.#key(STREAM.normal, sample),
        step,
        position * COUNTERS_PER_POSITION + attempt,
        this.#pair,
      );
      const [first = 0, second = 0] = this.#pair;
      const x = (first + 0.5) / 2 ** 31 - 1;
      const y = (second + 0.5) / 2 ** 31 - 1;
      const s = x * x + y * y;
      if (s < 1 && s > 0) return x * Math.sqrt((-2 * log(s)) / s); // sqrt is exact in IEEE arithmetic
    }
  }

  permutation(draw: number, sample: number, length: number): Int32Array {
    const order = Int32Array.from({ length }, (_, i) => i);
    const words = new Uint32Array(length + (length & 1));
    threefry2x32(this.#key(STREAM.permutation, sample), draw, 0, words);
    for (let i = length - 1; i > 0; i--) {
      const j = Math.floor((((words[i] ?? 0) + 0.5) / 2 ** 32) * (i + 1)); // bias at most length / 2^32
      const swapped = order[i] ?? 0;
      order[i] = order[j] ?? 0;
      order[j] = swapped;
    }
    return order;
  }

  /** Exponential(1) from a word and 32 more bits below its last one. */
  #refined(word: number, stream: number, sample: number, step: number, first: number, code: number): number {
    threefry2x32(this.#key(stream + REFINE, sample), step, first + (code >> 1), this.#pair);
    const u = word + ((this.#pair[code & 1] ?? 0) + 0.5) / 2 ** 32; // in (0, 2^32), exact to 2^-20
    return -log(u / 2 ** 32);
  }

  #key(stream: number, sample: number): Key {
    return [this.seed, sample * STREAMS + stream];
  }
}

/**
 * Words within 2^12 of either end (two in a million) take 32 more bits, so that the smallest exponentials, which
 * win the race between codes, and the largest ones have no visible grain.
 */
function isExtreme(word: number): boolean {
  return (word + 4096) >>> 0 < 8192;
}
