/** Copies n elements into the result from an offset on, and leaves the rest of it alone. A thread an element. */
import type { WebGPUProgram } from '@tensorflow/tfjs-backend-webgpu';

const WORKGROUP = 64;

export class WriteRowsProgram implements WebGPUProgram {
  /** rows [n]; the result is the tensor that is written into. */
  readonly variableNames = ['rows'];
  readonly uniforms = 'count : i32, offset : i32,';
  readonly workgroupSize: [number, number, number] = [WORKGROUP, 1, 1];
  readonly dispatchLayout = { x: [0] };
  readonly dispatch: [number, number, number];
  readonly outputShape: number[];
  readonly shaderKey = 'mebtWriteRows';

  constructor(count: number) {
    this.outputShape = [count];
    this.dispatch = [Math.ceil(count / WORKGROUP), 1, 1];
  }

  getUserCode(): string {
    return `
    fn main(index : i32) {
      if (index < uniforms.count) { result[uniforms.offset + index] = rows[index]; }
    }`;
  }
}
