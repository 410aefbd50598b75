/**
 * How WGSL programs read a matrix (index.ts) four columns at a time, whatever it is stored as. A quad is four columns side
 * by side.
 */

import type * as tf from '@tensorflow/tfjs-core';
import { isPacked, type Matrix } from './index';

export interface MatrixBinding {
  /** `weight` binds `weight`, or `weightWords` and `weightScales`, and defines weightAt(row, q) and weightScaleAt(g, q). */
  readonly name: string;
  readonly storage: MatrixStorage;
  /** WGSL of the number of columns. */
  readonly columns: string;
  /** It is a multiple of 4: float32 values and scales are read four at a time. */
  readonly columnsByFour: boolean;
}

export type MatrixStorage = 'float32' | 'int8' | 'int4';

export function storageOf(matrix: Matrix): MatrixStorage {
  return isPacked(matrix) ? `int${matrix.bits}` : 'float32';
}

/** Names and vector widths of the bindings; `tensorsOf` gives the tensors in the same order. */
export function matrixBindings({
  name,
  storage,
  columnsByFour,
}: MatrixBinding): [name: string, components: number][] {
  const wide = columnsByFour ? 4 : 1;
  if (storage === 'float32') return [[name, wide]];
  return [
    [`${name}Words`, 1],
    [`${name}Scales`, wide],
  ];
}

export function tensorsOf(matrix: Matrix): tf.Tensor[] {
  return isPacked(matrix) ? [matrix.words, matrix.scales] : [matrix];
}

/**
 * <name>At(row, q): the quad q of a row, which must be inside; of a packed matrix not yet scaled, for
 * <name>ScaleAt(g, q), with g the row's group, to be applied where it costs least. A packed value is shifted to the top of
 * its lane and down again, which extends its sign (as unpack4xI8 does, which not every WebGPU has).
 */
export function matrixFunctions(binding: MatrixBinding): string {
  const { name, storage, columns } = binding;
  const at = (body: string): string => `fn ${name}At(row : i32, q : i32) -> vec4<f32> { ${body} }`;
  const quad = (array: string, row: string): string =>
    quadAt(array, `${row} * ${columns}`, columns, binding.columnsByFour);
  const scaleAt = `fn ${name}ScaleAt(g : i32, q : i32) -> vec4<f32> { return ${quad(`${name}Scales`, 'g')}; }`;
  switch (storage) {
    case 'float32':
      return at(`return ${quad(name, 'row')};`);
    case 'int8':
      return `${scaleAt}
      ${at(`
        let word = ${name}Words[row * ((${columns} + 3) / 4) + q];
        return vec4<f32>((vec4<i32>(word) << vec4<u32>(24u, 16u, 8u, 0u)) >> vec4<u32>(24u));`)}`;
    case 'int4': // Two quads to a word; an odd one lies in the upper half.
      return `${scaleAt}
      ${at(`
        let word = ${name}Words[row * ((${columns} + 7) / 8) + q / 2] >> u32(16 * (q & 1));
        return vec4<f32>((vec4<i32>(word) << vec4<u32>(28u, 24u, 20u, 16u)) >> vec4<u32>(28u));`)}`;
  }
}

/** Quad q of the `columns` values of `array` from `start` on; past the last, that one again. */
export function quadAt(array: string, start: string, columns: string, byFour: boolean): string {
  const lanes = [0, 1, 2, 3].map((k) => `${array}[${start} + min(q * 4 + ${k}, ${columns} - 1)]`);
  return byFour ? `${array}[(${start}) / 4 + q]` : `vec4<f32>(${lanes.join(', ')})`;
}
