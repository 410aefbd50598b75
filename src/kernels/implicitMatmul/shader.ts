/**
 * What the WGSL programs of a convolution share: which taps an output has, what each of them reads, and how values are
 * accessed. How the work is divided among threads is the programs' own.
 *
 * Layout: x [B, T, H, W, I], weight [kt, kh, kw, I, O], result [B, T', H', W', O]. Replicate padding is clamped indices.
 * Along each axis, output o reads with tap j the input
 *   convolution  o·s + j - front                  for every j
 *   transposed   (o + k - 1 - j)/s - front        for the j ≡ o + k - 1 (mod s), so no inserted zeros are multiplied.
 */

export interface MatmulVariant {
  readonly transposed: boolean;
  /** I is a multiple of 4: x is read four channels at a time. */
  readonly inputsByFour: boolean;
  /** O is a multiple of 4: weights, bias, residual and result are accessed four channels at a time. */
  readonly outputsByFour: boolean;
  readonly bias: boolean;
  /** Of the sum and the bias. */
  readonly silu: boolean;
  readonly residual: boolean;
}

export const AXES = ['T', 'H', 'W'] as const;
export type Axis = (typeof AXES)[number];

/** n: input extents, m: output extents, k: kernel, s: stride, f: padding in front. */
export const MATMUL_UNIFORMS = `${AXES.flatMap((a) => ['n', 'm', 'k', 's', 'f'].map((name) => `${name}${a} : i32,`)).join(' ')} inputs : i32, outputs : i32,`;

/** Every constant that is baked into the code, for a shaderKey. */
export function variantKey({
  transposed,
  inputsByFour,
  outputsByFour,
  bias,
  silu,
  residual,
}: MatmulVariant): string {
  return [transposed, inputsByFour, outputsByFour, bias, silu, residual].join('_');
}

/** Names and vector widths of the bindings, in the order in which tensors are passed. */
export function bindings(variant: MatmulVariant): { names: string[]; components: number[] } {
  const names = ['x', 'weight', ...(variant.bias ? ['bias'] : []), ...(variant.residual ? ['residual'] : [])];
  const outputs = variant.outputsByFour ? 4 : 1;
  return { names, components: names.map((_, i) => (i > 0 ? outputs : variant.inputsByFour ? 4 : 1)) };
}

/** The tap with which output `position` begins. */
export function firstTap({ transposed }: MatmulVariant, axis: Axis, position: string): string {
  return transposed ? `(${position} + uniforms.k${axis} - 1) % uniforms.s${axis}` : '0';
}

/** Outputs whose taps are the same lie so far apart; a tap and the next one, too. */
export function phasesOf({ transposed }: MatmulVariant, axis: Axis): string {
  return transposed ? `uniforms.s${axis}` : '1';
}

/** Where output `position` reads with tap j<axis>. */
export function sourceOf({ transposed }: MatmulVariant, axis: Axis, position: string): string {
  const [k, s, j] = [`uniforms.k${axis}`, `uniforms.s${axis}`, `j${axis}`];
  const padded = transposed ? `(${position} + ${k} - 1 - ${j}) / ${s}` : `${position} * ${s} + ${j}`;
  return `clamp(${padded} - uniforms.f${axis}, 0, uniforms.n${axis} - 1)`;
}

/**
 * WGSL functions: weightAt(row, o), four weights of a row of [kt·kh·kw·I, O]; finish(at, o, sum), which adds bias and
 * residual, applies SiLU between them where asked, and stores the quad o of the position whose channels start at `at`.
 */
export function matmulFunctions({ outputsByFour, bias, silu, residual }: MatmulVariant): string {
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
    `fn finish(at : i32, o : i32, sum : vec4<f32>) {
      var y = sum;
      ${bias ? 'y += biasAt(o);' : ''}${silu ? '\n      y = y / (1.0 + exp(-y));' : ''}
      ${residual ? 'y += residualAt(at, o);' : ''}
      ${write}
    }`,
  ].join('\n');
}
