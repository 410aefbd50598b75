/**
 * A linear layer without workgroup memory: a thread makes R rows of x times four outputs in registers. Neighbouring
 * threads take neighbouring outputs, so weights are read side by side and x is shared through the cache. Made for
 * software adapters, where barriers cost more than the reads they save. Rows past the last are clamped and not stored.
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

const WORKGROUP = 64;

export class RegisterTilesProgram implements WebGPUProgram {
  readonly variableNames: string[];
  readonly variableComponents: number[];
  readonly outputComponent: number;
  readonly uniforms = LINEAR_UNIFORMS;
  readonly workgroupSize: [number, number, number] = [WORKGROUP, 1, 1];
  readonly dispatchLayout = { x: [0] };
  readonly dispatch: [number, number, number];
  readonly shaderKey: string;

  /** `outputShape` is [P, O]; a thread makes `rows` of P. */
  constructor(
    private readonly variant: LinearVariant,
    readonly outputShape: [number, number],
    private readonly rows: number,
  ) {
    const { names, components } = bindings(variant);
    this.variableNames = names;
    this.variableComponents = components;
    this.outputComponent = variant.outputsByFour ? 4 : 1;
    const threads = Math.ceil(outputShape[0] / rows) * Math.ceil(outputShape[1] / 4);
    this.dispatch = [Math.ceil(threads / WORKGROUP), 1, 1];
    this.shaderKey = `mebtLinearRegister_${rows}_${variantKey(variant)}`;
  }

  getUserCode(): string {
    const { rows, variant } = this;
    const products = `
        ${fourWeights(variant)}
        ${unrolled(
          rows,
          (r) => `{
          let v = xAt(row${r}, c);
          ${addProducts(`sum${r}`, 'v')}
        }`,
        )}`;
    const loop =
      variant.storage === 'int4'
        ? `let quadsPerGroup = uniforms.group / 4;
      for (var g = 0; g * quadsPerGroup < inputQuads(); g++) {
        let scale = weightScaleAt(g, q);
        let end = min((g + 1) * quadsPerGroup, inputQuads());
        for (var c = g * quadsPerGroup; c < end; c++) { ${products}
        }
      }`
        : `for (var c = 0; c < inputQuads(); c++) { ${products}
      }`;
    return `
    ${linearFunctions(variant)}
    fn main(index : i32) {
      let q = index % outputQuads();
      let first = index / outputQuads() * ${rows};
      if (first >= uniforms.rows) { return; }
      ${unrolled(rows, (r) => `let row${r} = min(first + ${r}, uniforms.rows - 1);`)}
      ${unrolled(rows, (r) => `var sum${r} = vec4<f32>(0.0);`)}
      ${loop}
      ${unrolled(rows, (r) => `if (first + ${r} < uniforms.rows) { finish(first + ${r}, q, sum${r}); }`)}
    }`;
  }
}
