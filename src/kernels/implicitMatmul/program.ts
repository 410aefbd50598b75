/**
 * The WGSL behind 3D convolutions and transposed ones: one matrix product whose left rows are read straight from the clip,
 * with replicate padding as clamped indices.
 *
 * Layout: x [B, T, H, W, I], weight [kt, kh, kw, I, O], result [B, T', H', W', O]. A thread makes `rows` positions
 * (neighbours along W, or along one phase of W when transposed) times four channels, held in registers; neighbouring
 * threads take neighbouring channels, so weights are read side by side and x is shared through the cache. There are no
 * barriers and no workgroup memory. Work past the last column is done on clamped indices and not stored.
 *
 * Along each axis, output o reads with tap j the input
 *   convolution  o·s + j - front                  for every j
 *   transposed   (o + k - 1 - j)/s - front        for the j ≡ o + k - 1 (mod s), so no inserted zeros are multiplied.
 */
import type { WebGPUProgram } from '@tensorflow/tfjs-backend-webgpu';

export interface MatmulVariant {
  readonly transposed: boolean;
  /** I is a multiple of 4: x is read four channels at a time. */
  readonly inputsByFour: boolean;
  /** O is a multiple of 4: weights, bias, residual and result are accessed four channels at a time. */
  readonly outputsByFour: boolean;
  /** Positions a thread makes. */
  readonly rows: 4 | 8;
  readonly bias: boolean;
  readonly residual: boolean;
}

const WORKGROUP = 64;
const AXES = ['T', 'H', 'W'] as const;

export class ImplicitMatmulProgram implements WebGPUProgram {
  readonly variableNames: string[];
  readonly variableComponents: number[];
  readonly outputComponent: number;
  readonly outputShape: number[];
  readonly shaderKey: string;
  readonly workgroupSize: [number, number, number] = [WORKGROUP, 1, 1];
  readonly dispatchLayout = { x: [0] };
  readonly dispatch: [number, number, number];
  /** n: input extents, m: output extents, k: kernel, s: stride, f: padding in front; tiles: row tiles of one phase of W. */
  readonly uniforms =
    `${AXES.flatMap((a) => ['n', 'm', 'k', 's', 'f'].map((name) => `${name}${a} : i32,`)).join(' ')} inputs : i32, outputs : i32, tiles : i32, threads : i32,`;
  private readonly variant: MatmulVariant;

  constructor(variant: MatmulVariant, outputShape: number[], threads: number) {
    const outputs = variant.outputsByFour ? 4 : 1;
    this.variant = variant;
    this.variableNames = [
      'x',
      'weight',
      ...(variant.bias ? ['bias'] : []),
      ...(variant.residual ? ['residual'] : []),
    ];
    this.variableComponents = this.variableNames.map((_, i) =>
      i > 0 ? outputs : variant.inputsByFour ? 4 : 1,
    );
    this.outputComponent = outputs;
    this.outputShape = outputShape;
    this.dispatch = [Math.ceil(threads / WORKGROUP), 1, 1];
    this.shaderKey = `mebtMatmul_${Object.values(variant).join('_')}`;
  }

  getUserCode(): string {
    const { transposed, rows, bias, residual } = this.variant;
    const each = (line: (r: number) => string): string =>
      Array.from({ length: rows }, (_, r) => line(r)).join('\n');
    return `
    ${this.accessors()}
    fn main(index : i32) {
      if (index >= uniforms.threads) { return; }
      let quads = (uniforms.outputs + 3) / 4;
      let o = index % quads;                         // which four output channels
      var rest = index / quads;
      let tile = rest % uniforms.tiles; rest = rest / uniforms.tiles;
      let phases = ${transposed ? 'uniforms.sW' : '1'};
      let phase = rest % phases; rest = rest / phases;
      let h = rest % uniforms.mH; rest = rest / uniforms.mH;
      let t = rest % uniforms.mT;
      let b = rest / uniforms.mT;
      let first = phase + tile * ${rows} * phases;   // the first column; the others follow ${transposed ? 'a stride' : 'one'} apart
      ${each((r) => `var a${r} = vec4<f32>(0.0);`)}
      ${this.loop('T', 't')}
        ${this.loop('H', 'h')}
          let line = ((b * uniforms.nT + iT) * uniforms.nH + iH) * uniforms.nW;
          ${this.columnLoop()}
            ${each((r) => `let x${r} = (line + ${this.source('W', `(first + ${r} * phases)`)}) * uniforms.inputs;`)}
            let w = ((jT * uniforms.kH + jH) * uniforms.kW + jW) * uniforms.inputs;
            ${this.products(each)}
          }
        }
      }
      let start = ((b * uniforms.mT + t) * uniforms.mH + h) * uniforms.mW;
      ${bias ? 'let added = biasAt(o);' : 'let added = vec4<f32>(0.0);'}
      ${each(
        (r) => `{
        let column = first + ${r} * phases;
        if (column < uniforms.mW) {
          let at = (start + column) * uniforms.outputs;
          var y = a${r} + added;
          ${residual ? 'y += residualAt(at, o);' : ''}
          store(at, o, y);
        }
      }`,
      )}
    }`;
  }

  /** Opens the loop over the taps j of an axis; i is the clamped input position. */
  private loop(axis: 'T' | 'H', position: string): string {
    return `${this.taps(axis, position)} {
      let i${axis} = ${this.source(axis, position)};`;
  }

  /** The same for columns, whose input positions differ from row to row. All rows of a thread share their taps. */
  private columnLoop(): string {
    return `${this.taps('W', 'first')} {`;
  }

  private taps(axis: string, position: string): string {
    const [k, s, j] = [`uniforms.k${axis}`, `uniforms.s${axis}`, `j${axis}`];
    return this.variant.transposed
      ? `for (var ${j} = (${position} + ${k} - 1) % ${s}; ${j} < ${k}; ${j} += ${s})`
      : `for (var ${j} = 0; ${j} < ${k}; ${j}++)`;
  }

  private source(axis: string, position: string): string {
    const [k, s, j] = [`uniforms.k${axis}`, `uniforms.s${axis}`, `j${axis}`];
    const padded = this.variant.transposed
      ? `(${position} + ${k} - 1 - ${j}) / ${s}`
      : `${position} * ${s} + ${j}`;
    return `clamp(${padded} - uniforms.f${axis}, 0, uniforms.n${axis} - 1)`;
  }

  private products(each: (line: (r: number) => string) => string): string {
    if (!this.variant.inputsByFour) {
      return `for (var c = 0; c < uniforms.inputs; c++) {
              let w0 = weightAt(w + c, o);
              ${each((r) => `a${r} = fma(vec4<f32>(x[x${r} + c]), w0, a${r});`)}
            }`;
    }
    return `for (var c = 0; c < uniforms.inputs; c += 4) {
              let w0 = weightAt(w + c, o);
              let w1 = weightAt(w + c + 1, o);
              let w2 = weightAt(w + c + 2, o);
              let w3 = weightAt(w + c + 3, o);
              ${each(
                (r) => `{
                let v = x[(x${r} + c) / 4];
                a${r} = fma(vec4<f32>(v.x), w0, a${r});
                a${r} = fma(vec4<f32>(v.y), w1, a${r});
                a${r} = fma(vec4<f32>(v.z), w2, a${r});
                a${r} = fma(vec4<f32>(v.w), w3, a${r});
              }`,
              )}
            }`;
  }

  /** Reading and writing four channels, at once or, where O is no multiple of 4, one by one. */
  private accessors(): string {
    const { outputsByFour, bias, residual } = this.variant;
    const read = (name: string, parameters: string, start: string): string => {
      const lanes = [0, 1, 2, 3].map((i) => `${name}[${start} + min(o * 4 + ${i}, uniforms.outputs - 1)]`);
      const value = outputsByFour ? `${name}[(${start}) / 4 + o]` : `vec4<f32>(${lanes.join(', ')})`;
      return `fn ${name}At(${parameters}) -> vec4<f32> { return ${value}; }`;
    };
    const write = outputsByFour
      ? 'result[at / 4 + o] = y;'
      : 'for (var i = 0; i < 4 && o * 4 + i < uniforms.outputs; i++) { result[at + o * 4 + i] = y[i]; }';
    return [
      read('weight', 'row : i32, o : i32', 'row * uniforms.outputs'),
      bias ? read('bias', 'o : i32', '0') : '',
      residual ? read('residual', 'at : i32, o : i32', 'at') : '',
      `fn store(at : i32, o : i32, y : vec4<f32>) { ${write} }`,
    ].join('\n');
  }
}
