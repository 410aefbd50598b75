/**
 * A convolution without workgroup memory: a thread makes `rows` positions (neighbours along W, or along one phase of W
 * when transposed) times four channels, in registers; neighbouring threads take neighbouring channels, so weights are read
 * side by side and x is shared through the cache. For software adapters, which barriers cost more than they save, and for
 * few channels. Work past the last column is done on clamped indices and not stored.
 */
import type { WebGPUProgram } from '@tensorflow/tfjs-backend-webgpu';
import { addProducts, unrolled } from '../productTiles';
import {
  type Axis,
  bindings,
  firstTap,
  MATMUL_UNIFORMS,
  type MatmulVariant,
  matmulFunctions,
  phasesOf,
  sourceOf,
  variantKey,
} from './shader';

const WORKGROUP = 64;

export class RegisterMatmulProgram implements WebGPUProgram {
  readonly variableNames: string[];
  readonly variableComponents: number[];
  readonly outputComponent: number;
  readonly shaderKey: string;
  readonly workgroupSize: [number, number, number] = [WORKGROUP, 1, 1];
  readonly dispatchLayout = { x: [0] };
  readonly dispatch: [number, number, number];
  /** tiles: row tiles of one phase of W. */
  readonly uniforms = `${MATMUL_UNIFORMS} tiles : i32, threads : i32,`;

  constructor(
    private readonly variant: MatmulVariant,
    private readonly rows: 4 | 8,
    readonly outputShape: number[],
    threads: number,
  ) {
    const { names, components } = bindings(variant);
    this.variableNames = names;
    this.variableComponents = components;
    this.outputComponent = variant.outputsByFour ? 4 : 1;
    this.dispatch = [Math.ceil(threads / WORKGROUP), 1, 1];
    this.shaderKey = `mebtMatmulRegister_${rows}_${variantKey(variant)}`;
  }

  getUserCode(): string {
    const { variant, rows } = this;
    const source = (axis: Axis, position: string): string => sourceOf(variant, axis, position);
    return `
    ${matmulFunctions(variant)}
    fn main(index : i32) {
      if (index >= uniforms.threads) { return; }
      let quads = (uniforms.outputs + 3) / 4;
      let o = index % quads;                         // which four output channels
      var rest = index / quads;
      let tile = rest % uniforms.tiles; rest = rest / uniforms.tiles;
      let phases = ${phasesOf(variant, 'W')};
      let phase = rest % phases; rest = rest / phases;
      let h = rest % uniforms.mH; rest = rest / uniforms.mH;
      let t = rest % uniforms.mT;
      let b = rest / uniforms.mT;
      let first = phase + tile * ${rows} * phases;   // the first column; the others follow ${variant.transposed ? 'a stride' : 'one'} apart
      ${unrolled(rows, (r) => `var a${r} = vec4<f32>(0.0);`)}
      ${this.taps('T', 't')} {
        let iT = ${source('T', 't')};
        ${this.taps('H', 'h')} {
          let iH = ${source('H', 'h')};
          let line = ((b * uniforms.nT + iT) * uniforms.nH + iH) * uniforms.nW;
          ${this.taps('W', 'first')} {               // all rows of a thread share their taps
            ${unrolled(rows, (r) => `let x${r} = (line + ${source('W', `(first + ${r} * phases)`)}) * uniforms.inputs;`)}
            let w = ((jT * uniforms.kH + jH) * uniforms.kW + jW) * uniforms.inputs;
            ${this.products()}
          }
        }
      }
      let start = ((b * uniforms.mT + t) * uniforms.mH + h) * uniforms.mW;
      ${unrolled(
        rows,
        (r) => `{
        let column = first + ${r} * phases;
        if (column < uniforms.mW) { finish((start + column) * uniforms.outputs, o, a${r}); }
      }`,
      )}
    }`;
  }

  private taps(axis: Axis, position: string): string {
    const j = `j${axis}`;
    const next = this.variant.transposed ? `${j} += uniforms.s${axis}` : `${j}++`;
    return `for (var ${j} = ${firstTap(this.variant, axis, position)}; ${j} < uniforms.k${axis}; ${next})`;
  }

  private products(): string {
    if (!this.variant.inputsByFour) {
      return `for (var c = 0; c < uniforms.inputs; c++) {
              let w0 = weightAt(w + c, o);
              ${unrolled(this.rows, (r) => `a${r} = fma(vec4<f32>(x[x${r} + c]), w0, a${r});`)}
            }`;
    }
    return `for (var c = 0; c < uniforms.inputs; c += 4) {
              ${unrolled(4, (k) => `let w${k} = weightAt(w + c + ${k}, o);`)}
              ${unrolled(
                this.rows,
                (r) => `{
                let v = x[(x${r} + c) / 4];
                ${addProducts(`a${r}`, 'v')}
              }`,
              )}
            }`;
  }
}
