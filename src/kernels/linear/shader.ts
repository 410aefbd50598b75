/**
 * What the WGSL programs of a linear layer share: how x, the weights in their three kinds of storage, and the result are
 * accessed four values at a time, and what is done to a finished sum. How the work is divided among threads is the
 * programs' own.
 *
 * A quad is four outputs or four inputs side by side. x [P, I], weights [I, O], scales [G, O], bias [O], residual and
 * result [P, O]. int8 sums are scaled once at the end; int4 weights when they are read, a group at a time.
 */
import { GELU_WGSL } from '../gelu/wgsl';
import {
  type MatrixBinding,
  type MatrixStorage,
  matrixBindings,
  matrixFunctions,
  quadAt,
} from '../matrix/wgsl';
import { unrolled } from '../productTiles';

export interface LinearVariant {
  readonly storage: MatrixStorage;
  /** I is a multiple of 4: x is read four inputs at a time. */
  readonly inputsByFour: boolean;
  /** O is a multiple of 4: float32 weights, scales, bias, residual and result are accessed four outputs at a time. */
  readonly outputsByFour: boolean;
  readonly bias: boolean;
  readonly gelu: boolean;
  readonly residual: boolean;
}

/** rows: P; inputs, outputs: I, O; group: rows of the weights that share a scale (int4). */
export const LINEAR_UNIFORMS = 'rows : i32, inputs : i32, outputs : i32, group : i32,';

/** Every constant that is baked into the code, for a shaderKey. */
export function variantKey(variant: LinearVariant): string {
  const { storage, inputsByFour, outputsByFour, bias, gelu, residual } = variant;
  return [storage, inputsByFour, outputsByFour, bias, gelu, residual].join('_');
}

function weightOf({ storage, outputsByFour }: LinearVariant): MatrixBinding {
  return { name: 'weight', storage, columns: 'uniforms.outputs', columnsByFour: outputsByFour };
}

/** Names and vector widths of the bindings, in the order in which tensors are passed. */
export function bindings(variant: LinearVariant): { names: string[]; components: number[] } {
  const { inputsByFour, outputsByFour, bias, residual } = variant;
  const outputs = outputsByFour ? 4 : 1;
  const list: [name: string, components: number][] = [['x', inputsByFour ? 4 : 1]];
  list.push(...matrixBindings(weightOf(variant)));
  if (bias) list.push(['bias', outputs]);
  if (residual) list.push(['residual', outputs]);
  return { names: list.map(([name]) => name), components: list.map(([, width]) => width) };
}

/**
 * WGSL functions: inputQuads(), outputQuads(); xAt(row, c), four inputs, of which those beyond I are 0; weightAt(i, q) and
 * weightScaleAt(g, q) of matrix/wgsl.ts; finish(row, q, sum), which stores a quad of the result. Rows, c and q must be inside.
 */
export function linearFunctions(variant: LinearVariant): string {
  const { storage, inputsByFour, bias, gelu, residual, outputsByFour } = variant;
  const quad = (array: string, start: string): string =>
    quadAt(array, start, 'uniforms.outputs', outputsByFour);
  const input = (k: number): string =>
    `select(0.0, x[row * uniforms.inputs + c * 4 + ${k}], c * 4 + ${k} < uniforms.inputs)`;
  const fourInputs = inputsByFour
    ? 'x[row * (uniforms.inputs / 4) + c]'
    : `vec4<f32>(${[0, 1, 2, 3].map(input).join(', ')})`;
  return `
    fn inputQuads() -> i32 { return (uniforms.inputs + 3) / 4; }
    fn outputQuads() -> i32 { return (uniforms.outputs + 3) / 4; }
    fn xAt(row : i32, c : i32) -> vec4<f32> { return ${fourInputs}; }
    ${matrixFunctions(weightOf(variant))}
    ${gelu ? GELU_WGSL : ''}
    fn finish(row : i32, q : i32, sum : vec4<f32>) {
      var y = sum${storage === 'int8' ? ' * weightScaleAt(0, q)' : ''};
      ${bias ? `y += ${quad('bias', '0')};` : ''}
      ${gelu ? 'y = gelu(y);' : ''}
      let at = row * uniforms.outputs;
      ${residual ? `y += ${quad('residual', 'at')};` : ''}
      ${
        outputsByFour
          ? 'result[at / 4 + q] = y;'
          : 'for (var k = 0; k < 4 && q * 4 + k < uniforms.outputs; k++) { result[at + q * 4 + k] = y[k]; }'
      }
    }`;
}

/**
 * w0 … w3: the quad q of the rows of the four inputs c, those of int4 times `scale`. Where I is no multiple of 4 the last
 * row stands in for rows beyond it, where x is 0.
 */
export function fourWeights({ storage, inputsByFour }: LinearVariant): string {
  const scaled = storage === 'int4' ? ' * scale' : '';
  return unrolled(4, (k) => {
    const row = inputsByFour ? `4 * c + ${k}` : `min(4 * c + ${k}, uniforms.inputs - 1)`;
    return `let w${k} = weightAt(${row}, q)${scaled};`;
  });
}
