/**
 * A linear layer for graphics cards and many rows: tiles of x and of the weights, dequantized, in workgroup memory
 * (productTiles.ts). A workgroup makes 64 outputs of 8·R rows.
 *
 * In float16 the weights of the tile are within ±1 whatever they are stored as, if the model's are: int8 as q/128, which is
 * exact, with the rest of the scale applied to the sum; int4 with its scale, rounded.
 */
import type { Factors } from '../float16';
import {
  addStep,
  declareSums,
  declareTiles,
  type ProductTile,
  rowsOfTile,
  TILE_DEPTH,
  TILE_THREADS,
  unrolled,
  workgroupsOf,
} from '../productTiles';
import { LinearProgram } from './program';
import { type LinearVariant, linearFunctions } from './shader';

const ACROSS = 16;
const DOWN = TILE_THREADS / ACROSS;

type Rows = ProductTile['rows'];

export class WorkgroupTilesProgram extends LinearProgram {
  private readonly tile: ProductTile;

  /** `outputShape` is [P, O]; a thread makes `rows` of P. */
  constructor(variant: LinearVariant, outputShape: [number, number], rows: Rows, factors: Factors) {
    super(variant, outputShape, rows, {
      name: `Workgroup_${factors}`,
      workgroup: TILE_THREADS,
      workgroups: workgroups(outputShape[0], outputShape[1], rows),
    });
    this.tile = { across: ACROSS, rows, factors };
  }

  getUserCode(): string {
    const { tile, variant } = this;
    const shrunk = tile.factors === 'f16' && variant.storage === 'int8';
    return `
    ${declareTiles(tile)}
    ${linearFunctions(variant)}
    fn main(index : i32) {
      let lane = index % ${TILE_THREADS};
      // From the flat index: a dispatch over 65,535 workgroups is reshaped, and may then have some to spare.
      let tile = index / ${TILE_THREADS};
      let tilesAcross = (outputQuads() + ${ACROSS - 1}) / ${ACROSS};
      let firstQuad = tile % tilesAcross * ${ACROSS};
      let firstRow = tile / tilesAcross * ${rowsOfTile(tile)};
      ${declareSums(tile)}
      for (var start = 0; start < inputQuads(); start += ${TILE_DEPTH}) {
        ${addStep(tile, {
          // Beyond the inputs x is 0, and so is what the weights there contribute.
          x: () => `let c = start + depth;
          if (c < inputQuads()) { value = xAt(min(firstRow + row, uniforms.rows - 1), c); }`,
          weight: `let row = min(start * 4 + input, uniforms.inputs - 1);
          let q = min(firstQuad + column, outputQuads() - 1);
          value = weightAt(row, q)${this.weightFactor(shrunk)};`,
        })}
      }
      let q = firstQuad + across;
      if (q >= outputQuads()) { return; }
      ${unrolled(
        tile.rows,
        (r) => `{
        let row = firstRow + down + ${DOWN * r};
        if (row < uniforms.rows) { finish(row, q, sum${r}${shrunk ? ' * 128.0' : ''}); }
      }`,
      )}
    }`;
  }

  private weightFactor(shrunk: boolean): string {
    if (this.variant.storage === 'int4') return ' * weightScaleAt(row / uniforms.group, q)';
    return shrunk ? ' / 128.0' : '';
  }
}

/** Workgroups that [rows, outputs] takes when a thread makes `rowsPerThread`. */
export function workgroups(rows: number, outputs: number, rowsPerThread: Rows): number {
  return workgroupsOf({ across: ACROSS, rows: rowsPerThread, factors: 'f32' }, rows, outputs);
}
