/**
 * WGSL of a product of matrices by tiles in workgroup memory, for graphics cards: the part that linear layers and
 * convolutions share. What a row, an input and an output are, and where they are read from, is theirs.
 *
 * A workgroup of 128 threads, `across` × 128/across, makes 4·across outputs of `rows`·128/across rows. It walks along the
 * inputs, 16 at a time, and keeps that piece of the rows and of the weights in workgroup memory, so that each value is
 * fetched once a workgroup instead of once a thread. A thread makes four outputs (a quad) of `rows` rows, 128/across apart:
 * threads of one subgroup then read different banks, or the same address. Two barriers a step.
 *
 * Workgroup memory: 16 values for each of the rows and outputs; at most 10 KiB in float32, half of that in float16. In
 * float16 eight products at a time are added up in it, and these sums in float32 (float16.ts).
 */
import { type Factors, float16Mark } from './float16';

export interface ProductTile {
  /** Quads of outputs. */
  readonly across: 8 | 16;
  /** Rows of a thread. */
  readonly rows: 2 | 4 | 8;
  readonly factors: Factors;
}

/** Threads of a workgroup. */
export const TILE_THREADS = 128;
/** Quads of inputs in workgroup memory at once. */
export const TILE_DEPTH = 4;
/** Quads of inputs whose products are added up in float16. */
const BLOCK = 2;

const down = ({ across }: ProductTile): number => TILE_THREADS / across;
export const rowsOfTile = (tile: ProductTile): number => down(tile) * tile.rows;

/** For the shaderKey. */
export const tileKey = ({ across, rows, factors }: ProductTile): string => `${across}_${rows}_${factors}`;

/** Workgroups that [rows, outputs] takes. */
export function workgroupsOf(tile: ProductTile, rows: number, outputs: number): number {
  return Math.ceil(rows / rowsOfTile(tile)) * Math.ceil(outputs / (4 * tile.across));
}

/** Module scope. */
export function declareTiles(tile: ProductTile): string {
  const vector = `vec4<${tile.factors}>`;
  return `${float16Mark(tile.factors)}
    var<workgroup> tileX : array<${vector}, ${rowsOfTile(tile) * TILE_DEPTH}>;        // [row, quad of inputs]
    var<workgroup> tileW : array<${vector}, ${4 * TILE_DEPTH * tile.across}>;      // [input, quad of outputs]`;
}

/** In main, where `lane` is known: what the thread is in its workgroup, and its sums. */
export function declareSums(tile: ProductTile): string {
  return `
      let across = lane % ${tile.across};
      let down = lane / ${tile.across};
      ${unrolled(tile.rows, (r) => `var sum${r} = vec4<f32>(0.0);`)}`;
}

export interface TileSources {
  /** Sets `value`, which is 0, to four inputs: quad `depth` of the step, of `row` of the tile. `turn` counts its uses. */
  readonly x: (turn: number) => string;
  /** Sets `value` to the weights of `input` of the step and the quad `column` of the tile's outputs. */
  readonly weight: string;
}

/** In main, by all threads of the workgroup: a step along the inputs. */
export function addStep(tile: ProductTile, { x, weight }: TileSources): string {
  const [xs, weights] = [rowsOfTile(tile) * TILE_DEPTH, 4 * TILE_DEPTH * tile.across];
  return `
        ${filled(
          'tileX',
          xs,
          tile.factors,
          (turn) => `let row = i / ${TILE_DEPTH};
          let depth = i % ${TILE_DEPTH};
          ${x(turn)}`,
        )}
        ${filled(
          'tileW',
          weights,
          tile.factors,
          () => `let input = i / ${tile.across};
          let column = i % ${tile.across};
          ${weight}`,
        )}
        workgroupBarrier();
        ${products(tile)}
        workgroupBarrier();`;
}

/** Rows that a thread fetches for in a step; `row` of turn t is the same in every step. */
export const turnsOf = (tile: ProductTile): number =>
  Math.ceil((rowsOfTile(tile) * TILE_DEPTH) / TILE_THREADS);

/** Fills `array`; neighbouring threads fetch neighbouring elements. */
function filled(array: string, size: number, factors: Factors, fetch: (turn: number) => string): string {
  return unrolled(Math.ceil(size / TILE_THREADS), (turn) => {
    const partial = (turn + 1) * TILE_THREADS > size;
    return `${partial ? `if (lane < ${size - turn * TILE_THREADS}) ` : ''}{
          let i = lane + ${turn * TILE_THREADS};
          var value = vec4<f32>(0.0);
          ${fetch(turn)}
          ${array}[i] = ${factors === 'f16' ? 'vec4<f16>(value)' : 'value'};
        }`;
  });
}

function products(tile: ProductTile): string {
  const { across, rows, factors } = tile;
  const half = factors === 'f16';
  const loop = (first: string, end: string): string => `
        for (var c = ${first}; c < ${end}; c++) {
          ${unrolled(4, (k) => `let w${k} = tileW[(4 * c + ${k}) * ${across} + across];`)}
          ${unrolled(
            rows,
            (r) => `{
            let v = tileX[(down + ${down(tile) * r}) * ${TILE_DEPTH} + c];
            ${addProducts(half ? `block${r}` : `sum${r}`, 'v', factors)}
          }`,
          )}
        }`;
  if (!half) return loop('0', `${TILE_DEPTH}`);
  return `for (var first = 0; first < ${TILE_DEPTH}; first += ${BLOCK}) {
        ${unrolled(rows, (r) => `var block${r} = vec4<f16>(0.0);`)}
        ${loop('first', `first + ${BLOCK}`)}
        ${unrolled(rows, (r) => `sum${r} += vec4<f32>(block${r});`)}
        }`;
}

/** `line(0)` … `line(count - 1)`, one under the other. */
export function unrolled(count: number, line: (r: number) => string): string {
  return Array.from({ length: count }, (_, r) => line(r)).join('\n');
}

/** a += the four inputs `v` times the weights of their four rows, w0 … w3. */
export function addProducts(a: string, v: string, factors: Factors = 'f32'): string {
  return unrolled(4, (k) => `${a} = fma(vec4<${factors}>(${v}.${'xyzw'[k]}), w${k}, ${a});`);
}
