/**
 * Layer normalisation in WGSL. One workgroup of 64 threads a row of C channels: thread l takes channels l, l + 64, …;
 * a sum for the mean, a second one of squared distances to it for the variance (no cancellation), a third pass writes.
 */
import type { WebGPUProgram } from '@tensorflow/tfjs-backend-webgpu';
import { workgroupTotal } from '../workgroupTotal';

const WORKGROUP = 64;

export class LayerNormProgram implements WebGPUProgram {
  /** x [rows, C], scale and bias [C]. */
  readonly variableNames = ['x', 'scale', 'bias'];
  readonly uniforms = 'width : i32, rows : i32, epsilon : f32,';
  readonly workgroupSize: [number, number, number] = [WORKGROUP, 1, 1];
  readonly dispatchLayout = { x: [0] };
  readonly dispatch: [number, number, number];
  readonly outputShape: number[];
  readonly shaderKey = 'mebtLayerNorm';

  constructor(rows: number, width: number) {
    this.outputShape = [rows, width];
    this.dispatch = [rows, 1, 1];
  }

  getUserCode(): string {
    return `${workgroupTotal(WORKGROUP)}
    fn main(index : i32) {
      // Rows from the flat index: a dispatch over 65,535 workgroups is reshaped, and may then have some to spare.
      let row = min(index / ${WORKGROUP}, uniforms.rows - 1);
      let lane = index % ${WORKGROUP};
      let width = uniforms.width;
      let start = row * width;
      var sum = 0.0;
      for (var c = lane; c < width; c += ${WORKGROUP}) { sum += x[start + c]; }
      let mean = total(lane, sum) / f32(width);
      var squares = 0.0;
      for (var c = lane; c < width; c += ${WORKGROUP}) { let d = x[start + c] - mean; squares += d * d; }
      let factor = inverseSqrt(total(lane, squares) / f32(width) + uniforms.epsilon);
      for (var c = lane; c < width; c += ${WORKGROUP}) {
        result[start + c] = (x[start + c] - mean) * factor * scale[c] + bias[c];
      }
    }`;
  }
}
