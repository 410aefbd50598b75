/**
 * A linear layer for graphics cards and at most R rows, where a thread an output would leave most of the card idle: the
 * inputs are divided among 16 threads, whose sums are then added in workgroup memory. A workgroup of 8 × 16 threads makes
 * 32 outputs of all rows. Weights are read once, 8 quads of a row side by side, which is what takes the time: float16
 * would not shorten it.
 *
 * Workgroup memory: 128·R quads of float32, 8 KiB for R = 4.
 */
import { addProducts, unrolled } from '../productTiles';
import { LinearProgram } from './program';
import { fourWeights, type LinearVariant, linearFunctions } from './shader';

/** Quads of outputs, and shares of the inputs, in a workgroup. */
const ACROSS = 8;
const SHARES = 16;
const WORKGROUP = ACROSS * SHARES;

export class SplitInputsProgram extends LinearProgram {
  /** `outputShape` is [P, O], P at most `rows`. */
  constructor(variant: LinearVariant, outputShape: [number, number], rows: number) {
    super(variant, outputShape, rows, {
      name: 'Split',
      workgroup: WORKGROUP,
      workgroups: Math.ceil(outputShape[1] / (4 * ACROSS)),
    });
  }

  getUserCode(): string {
    const { rows, variant } = this;
    return `
    var<workgroup> shares : array<vec4<f32>, ${rows * WORKGROUP}>;   // [row, share, quad of outputs]
    ${linearFunctions(variant)}
    fn main(index : i32) {
      let lane = index % ${WORKGROUP};
      let firstQuad = index / ${WORKGROUP} * ${ACROSS};
      let share = lane / ${ACROSS};
      let q = min(firstQuad + lane % ${ACROSS}, outputQuads() - 1);
      ${unrolled(rows, (r) => `let row${r} = min(${r}, uniforms.rows - 1);`)}
      ${unrolled(rows, (r) => `var sum${r} = vec4<f32>(0.0);`)}
      for (var c = share; c < inputQuads(); c += ${SHARES}) {
        ${variant.storage === 'int4' ? 'let scale = weightScaleAt(4 * c / uniforms.group, q);' : ''}
        ${fourWeights(variant)}
        ${unrolled(
          rows,
          (r) => `{
          let v = xAt(row${r}, c);
          ${addProducts(`sum${r}`, 'v')}
        }`,
        )}
      }
      ${unrolled(rows, (r) => `shares[${r * WORKGROUP} + lane] = sum${r};`)}
      workgroupBarrier();
      // As many threads as there are quads to finish add up the shares of one each.
      let row = lane / ${ACROSS};
      let mine = firstQuad + lane % ${ACROSS};
      if (row >= min(${rows}, uniforms.rows) || mine >= outputQuads()) { return; }
      var sum = vec4<f32>(0.0);
      for (var s = 0; s < ${SHARES}; s++) { sum += shares[row * ${WORKGROUP} + s * ${ACROSS} + lane % ${ACROSS}]; }
      finish(row, mine, sum);
    }`;
  }
}
