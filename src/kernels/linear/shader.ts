/**
 * What the WGSL programs of a linear layer share: how x, the weights in their three kinds of storage, and the result are
 * accessed four values at a time, and what is done to a finished sum. How the work is divided among threads is the
 * programs' own.
 *
 * A quad is four outputs or four inputs side by side. x [P, I], weights [I, O], scales [G, O], bias [O], residual and
 * result [P, O]. int8 sums are scaled once at the end; int4 weights when they are read, a group at a time.
 */
import { GELU_WGSL } from '../gelu/wgsl';

export interface LinearVariant {
  readonly storage: 'float32' | 'int8' | 'int4';
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

/** Names and vector widths of the bindings, in the order in which tensors are passed. */
export function bindings({ storage, inputsByFour, outputsByFour, bias, residual }: LinearVariant): {
  names: string[];
  components: number[];
} {
  const outputs = outputsByFour ? 4 : 1;
  const list: [name: string, components: number][] = [['x', inputsByFour ? 4 : 1]];
  if (storage === 'float32') list.push(['weight', outputs]);
  else list.push(['words', 1], ['scales', outputs]);
  if (bias) list.push(['bias', outputs]);
  if (residual) list.push(['residual', outputs]);
  return { names: list.map(([name]) => name), components: list.map(([, width]) => width) };
}

/**
 * WGSL functions: inputQuads(), outputQuads(); xAt(row, c), which is 0 beyond the inputs; weightAt(i, q), four outputs of
 * row i, not yet scaled; scaleAt(g, q) of packed weights; finish(row, q, sum), which stores a quad of the result.
 * i may exceed the last row by as much as c does, and gives some row then; row and q must be inside.
 */
export function linearFunctions(variant: LinearVariant): string {
  const { storage, inputsByFour, bias, gelu, residual, outputsByFour } = variant;
  const input = (k: number): string =>
    `select(0.0, x[row * uniforms.inputs + c * 4 + ${k}], c * 4 + ${k} < uniforms.inputs)`;
  const fourInputs = inputsByFour
    ? 'x[row * (uniforms.inputs / 4) + c]'
    : `vec4<f32>(${[0, 1, 2, 3].map(input).join(', ')})`;
  return `
    fn inputQuads() -> i32 { return (uniforms.inputs + 3) / 4; }
    fn outputQuads() -> i32 { return (uniforms.outputs + 3) / 4; }
    fn xAt(row : i32, c : i32) -> vec4<f32> {
      if (c >= inputQuads()) { return vec4<f32>(0.0); }
      return ${fourInputs};
    }
    ${weightFunctions(variant)}
    ${gelu ? GELU_WGSL : ''}
    fn finish(row : i32, q : i32, sum : vec4<f32>) {
      var y = sum${storage === 'int8' ? ' * scaleAt(0, q)' : ''};
      ${bias ? `y += ${quadOf(variant, 'bias', '0')};` : ''}
      ${gelu ? 'y = gelu(y);' : ''}
      let at = row * uniforms.outputs;
      ${residual ? `y += ${quadOf(variant, 'residual', 'at')};` : ''}
      ${
        outputsByFour
          ? 'result[at / 4 + q] = y;'
          : 'for (var k = 0; k < 4 && q * 4 + k < uniforms.outputs; k++) { result[at + q * 4 + k] = y[k]; }'
      }
    }`;
}

/** Quad q of the row of `array` that begins at `start`. */
function quadOf({ outputsByFour }: LinearVariant, array: string, start: string): string {
  const lanes = [0, 1, 2, 3].map((k) => `${array}[${start} + min(q * 4 + ${k}, uniforms.outputs - 1)]`);
  return outputsByFour ? `${array}[(${start}) / 4 + q]` : `vec4<f32>(${lanes.join(', ')})`;
}

/** A packed value is shifted to the top of its lane and down again, which extends its sign (as unpack4xI8 does). */
function weightFunctions(variant: LinearVariant): string {
  const row = variant.inputsByFour ? 'i' : 'min(i, uniforms.inputs - 1)';
  const weightAt = (body: string): string => `fn weightAt(i : i32, q : i32) -> vec4<f32> { ${body} }`;
  const scaleAt = `fn scaleAt(g : i32, q : i32) -> vec4<f32> { return ${quadOf(variant, 'scales', 'g * uniforms.outputs')}; }`;
  switch (variant.storage) {
    case 'float32':
      return weightAt(`return ${quadOf(variant, 'weight', `${row} * uniforms.outputs`)};`);
    case 'int8':
      return `${scaleAt}
      ${weightAt(`
        let word = words[${row} * outputQuads() + q];
        return vec4<f32>((vec4<i32>(word) << vec4<u32>(24u, 16u, 8u, 0u)) >> vec4<u32>(24u));`)}`;
    case 'int4': // Two quads to a word; an odd one lies in the upper half.
      return `${scaleAt}
      ${weightAt(`
        let word = words[${row} * ((uniforms.outputs + 7) / 8) + q / 2] >> u32(16 * (q & 1));
        return vec4<f32>((vec4<i32>(word) << vec4<u32>(28u, 24u, 20u, 16u)) >> vec4<u32>(28u));`)}`;
  }
}

/** `line(0)` … `line(count - 1)`, one under the other. */
export function unrolled(count: number, line: (r: number) => string): string {
  return Array.from({ length: count }, (_, r) => line(r)).join('\n');
}

/** a += the four inputs `v` times the weights of their four rows, w0 … w3. */
export function addProducts(a: string, v: string): string {
  return unrolled(4, (k) => `${a} = fma(vec4<f32>(${v}.${'xyzw'[k]}), w${k}, ${a});`);
}
