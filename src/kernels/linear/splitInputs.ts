/**
 * A linear layer for graphics cards and at most R rows, where a thread an output would leave most of the card idle: the
 * inputs are divided among 16 threads, whose sums are then added in workgroup memory. A workgroup of 8 × 16 threads makes
 * 32 outputs of all rows. Weights are read once, 8 quads of a row side by side.
 *
 * Workgroup memory: 128·R quads of float32, 8 KiB for R = 4.
 */
import type { WebGPUProgram } from '@tensorflow/tfjs-backend-webgpu';
import {
  addProducts,
  bindings,
  fourWeights,
  LINEAR_UNIFORMS,
  type LinearVariant,
  linearFunctions,
  unrolled,
  variantKey,
} from './shader';

/** Quads of outputs, and shares of the inputs, in a workgroup. */
const ACROSS = 8;
const SHARES = 16;
const WORKGROUP = ACROSS * SHARES;

export class SplitInputsProgram implements WebGPUProgram {
  readonly variableNames: string[];
  readonly variableComponents: number[];
  readonly outputComponent: number;
  readonly uniforms = LINEAR_UNIFORMS;
  readonly workgroupSize: [number, number, number] = [WORKGROUP, 1, 1];
  readonly dispatchLayout = { x: [0] };
  readonly dispatch: [number, number, number];
  readonly shaderKey: string;

  /** `outputShape` is [P, O], P at most `rows`. */
  constructor(
    private readonly variant: LinearVariant,
    readonly outputShape: [number, number],
    private readonly rows: number,
  ) {
    const { names, components } = bindings(variant);
    this.variableNames = names;
    this.variableComponents = components;
    this.outputComponent = variant.outputsByFour ? 4 : 1;
    this.dispatch = [Math.ceil(outputShape[1] / (4 * ACROSS)), 1, 1];
    this.shaderKey = `mebtLinearSplit_${rows}_${variantKey(variant)}`;
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
