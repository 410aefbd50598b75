/**
 * A linear layer without workgroup memory: a thread makes R rows of x times four outputs in registers. Neighbouring
 * threads take neighbouring outputs, so weights are read side by side and x is shared through the cache. Made for
 * software adapters, where barriers cost more than the reads they save. Rows past the last are clamped and not stored.
 */
import { addProducts, unrolled } from '../productTiles';
import { LinearProgram } from './program';
import { fourWeights, type LinearVariant, linearFunctions } from './shader';

const WORKGROUP = 64;

export class RegisterTilesProgram extends LinearProgram {
  /** `outputShape` is [P, O]; a thread makes `rows` of P. */
  constructor(variant: LinearVariant, outputShape: [number, number], rows: number) {
    super(variant, outputShape, rows, {
      name: 'Register',
      workgroup: WORKGROUP,
      workgroups: Math.ceil((Math.ceil(outputShape[0] / rows) * Math.ceil(outputShape[1] / 4)) / WORKGROUP),
    });
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
