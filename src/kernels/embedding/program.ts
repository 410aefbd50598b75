/**
 * Sums of embeddings in WGSL: row i of the result is row codes[i] of a table, or the same vector everywhere, plus row
 * positions[i] of another table. A thread makes one element, or four neighbours where C is a multiple of 4.
 */
import type { WebGPUProgram } from '@tensorflow/tfjs-backend-webgpu';

const WORKGROUP = 64;

export class EmbeddingSumProgram implements WebGPUProgram {
  /** tokens [V, C] with codes [n], or tokens [C] alone; table [P, C] with positions [n]. */
  readonly variableNames: string[];
  readonly variableComponents: number[];
  readonly outputComponent: number;
  /** Both in elements of the result: C (or C/4), and all. */
  readonly uniforms = 'width : i32, elements : i32,';
  readonly workgroupSize: [number, number, number] = [WORKGROUP, 1, 1];
  readonly dispatchLayout = { x: [0] };
  readonly dispatch: [number, number, number];
  readonly outputShape: number[];
  readonly shaderKey: string;
  private readonly coded: boolean;

  constructor(rows: number, width: number, coded: boolean) {
    const four = width % 4 === 0 ? 4 : 1;
    this.coded = coded;
    this.variableNames = ['tokens', 'table', 'positions', ...(coded ? ['codes'] : [])];
    this.variableComponents = [four, four, 1, ...(coded ? [1] : [])];
    this.outputComponent = four;
    this.outputShape = [rows, width];
    this.dispatch = [Math.ceil((rows * width) / four / WORKGROUP), 1, 1];
    this.shaderKey = `mebtEmbeddingSum_${coded}_${four}`;
  }

  getUserCode(): string {
    return `
    fn main(index : i32) {
      if (index >= uniforms.elements) { return; }
      let row = index / uniforms.width;
      let c = index % uniforms.width;
      let token = tokens[${this.coded ? 'codes[row] * uniforms.width + c' : 'c'}];
      result[index] = token + table[positions[row] * uniforms.width + c];
    }`;
  }
}
