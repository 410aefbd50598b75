/**
 * A linear layer for graphics cards and many rows. A workgroup of 16 × 8 threads makes 64 outputs of 8·R rows: it walks
 * along the inputs, 16 at a time, and keeps that piece of x and of the weights, dequantized, in workgroup memory, so
 * that each value is fetched once a workgroup instead of once a thread. A thread makes four outputs of R rows, eight
 * apart: threads of one subgroup then read different banks, or the same address.
 *
 * Workgroup memory: (8·R + 64)·16 values, 8 KiB for R = 8, half of what every device has, so that two fit in any case.
 */
import { LinearProgram } from './program';
import { addProducts, type LinearVariant, linearFunctions, unrolled } from './shader';

/** Quads of outputs, and rows of threads, in a workgroup. */
const ACROSS = 16;
const DOWN = 8;
const WORKGROUP = ACROSS * DOWN;
/** Quads of inputs in workgroup memory at once. */
const DEPTH = 4;

export class WorkgroupTilesProgram extends LinearProgram {
  /** `outputShape` is [P, O]; a thread makes `rows` of P. */
  constructor(variant: LinearVariant, outputShape: [number, number], rows: number) {
    super(variant, outputShape, rows, {
      name: 'Workgroup',
      workgroup: WORKGROUP,
      workgroups: workgroups(outputShape[0], outputShape[1], rows),
    });
  }

  getUserCode(): string {
    const { rows, variant } = this;
    const tileRows = DOWN * rows;
    return `
    var<workgroup> tileX : array<vec4<f32>, ${tileRows * DEPTH}>;        // [row, quad of inputs]
    var<workgroup> tileW : array<vec4<f32>, ${4 * DEPTH * ACROSS}>;      // [input, quad of outputs]
    ${linearFunctions(variant)}
    fn main(index : i32) {
      let lane = index % ${WORKGROUP};
      // From the flat index: a dispatch over 65,535 workgroups is reshaped, and may then have some to spare.
      let tile = index / ${WORKGROUP};
      let tilesAcross = (outputQuads() + ${ACROSS - 1}) / ${ACROSS};
      let firstQuad = tile % tilesAcross * ${ACROSS};
      let firstRow = tile / tilesAcross * ${tileRows};
      let across = lane % ${ACROSS};
      let down = lane / ${ACROSS};
      ${unrolled(rows, (r) => `var sum${r} = vec4<f32>(0.0);`)}
      for (var start = 0; start < inputQuads(); start += ${DEPTH}) {
        for (var i = lane; i < ${tileRows * DEPTH}; i += ${WORKGROUP}) {
          let c = start + i % ${DEPTH};
          // Beyond the inputs x is 0, and so is what the weights there contribute.
          tileX[i] = vec4<f32>(0.0);
          if (c < inputQuads()) { tileX[i] = xAt(min(firstRow + i / ${DEPTH}, uniforms.rows - 1), c); }
        }
        for (var i = lane; i < ${4 * DEPTH * ACROSS}; i += ${WORKGROUP}) {
          let input = min(start * 4 + i / ${ACROSS}, uniforms.inputs - 1);
          let q = min(firstQuad + i % ${ACROSS}, outputQuads() - 1);
          tileW[i] = weightAt(input, q)${variant.storage === 'int4' ? ' * weightScaleAt(input / uniforms.group, q)' : ''};
        }
        workgroupBarrier();
        for (var c = 0; c < ${DEPTH}; c++) {
          ${unrolled(4, (k) => `let w${k} = tileW[(4 * c + ${k}) * ${ACROSS} + across];`)}
          ${unrolled(
            rows,
            (r) => `{
            let v = tileX[(down + ${DOWN * r}) * ${DEPTH} + c];
            ${addProducts(`sum${r}`, 'v')}
          }`,
          )}
        }
        workgroupBarrier();
      }
      let q = firstQuad + across;
      if (q >= outputQuads()) { return; }
      ${unrolled(
        rows,
        (r) => `{
        let row = firstRow + down + ${DOWN * r};
        if (row < uniforms.rows) { finish(row, q, sum${r}); }
      }`,
      )}
    }`;
  }
}

/** Workgroups that [rows, outputs] takes when a thread makes `rowsPerThread`. */
export function workgroups(rows: number, outputs: number, rowsPerThread: number): number {
  return Math.ceil(rows / (DOWN * rowsPerThread)) * Math.ceil(outputs / (4 * ACROSS));
}
