/** Random weights of official checkpoints, with a spread that keeps activations and logits in order. */
import type { SavedTensor } from './torchWriter';

/** Elements of a chunk, and of the pool of normal numbers that chunks are cut out of: drawing each would take minutes. */
const CHUNK = 1 << 18;
const POOL = 1 << 20;

let pool: Float32Array | undefined;

/** The same tensor for the same name and shape. */
export function randomTensor(name: string, shape: readonly number[]): SavedTensor {
  const elements = shape.reduce((product, extent) => product * extent, 1);
  return { shape, chunks: () => chunksOf(name, shape, elements) };
}

function* chunksOf(
  name: string,
  shape: readonly number[],
  elements: number,
): Generator<Uint8Array<ArrayBuffer>> {
  pool ??= normals(POOL);
  const random = generator(hashOf(name));
  const { mean, spread } = distributionOf(name, shape);
  for (let first = 0; first < elements; first += CHUNK) {
    const values = new Float32Array(Math.min(CHUNK, elements - first));
    const from = Math.floor(random() * POOL);
    for (let i = 0; i < values.length; i++) values[i] = mean + spread * (pool[(from + i) % POOL] ?? 0);
    if (name.endsWith('running_var'))
      values.forEach((value, i) => {
        values[i] = 0.5 + Math.abs(value);
      });
    yield new Uint8Array(values.buffer);
  }
}

function distributionOf(name: string, shape: readonly number[]): { mean: number; spread: number } {
  if (shape.length === 1)
    return { mean: /(norm\d|ln\d|ln_f|final_block\.0)\.weight$/.test(name) ? 1 : 0, spread: 0.1 };
  if (/emb|codebook/.test(name)) return { mean: 0, spread: 1 };
  // ConvTranspose3d's weight is [in, out, …], and an eighth of its taps meet at a place.
  const inputs = name.includes('convt') ? (shape[0] ?? 1) : (shape[1] ?? 1);
  const taps =
    shape.slice(2).reduce((product, extent) => product * extent, 1) / (name.includes('convt') ? 8 : 1);
  return { mean: 0, spread: 1 / Math.sqrt(inputs * taps) };
}

/** FNV-1a. */
function hashOf(text: string): number {
  let hash = 0x811c9dc5;
  for (const character of text) hash = Math.imul(hash ^ (character.codePointAt(0) ?? 0), 0x01000193);
  return hash >>> 0;
}

/** mulberry32 (Tommy Ettinger, public domain): uniform in [0, 1). */
export function generator(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let x = Math.imul(state ^ (state >>> 15), state | 1);
    x ^= x + Math.imul(x ^ (x >>> 7), x | 61);
    return ((x ^ (x >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Standard normal numbers by the Box-Muller transform. */
function normals(count: number): Float32Array {
  const random = generator(1);
  return Float32Array.from({ length: count }, () => {
    return Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
  });
}
