/**
 * Puts together what the workgroups of program.ts found over their ranges of keys. A thread makes four channels of one
 * query and head: sums are brought to the largest score of all ranges, added and divided by the sum of weights.
 */
import type { WebGPUProgram } from '@tensorflow/tfjs-backend-webgpu';

const WORKGROUP = 64;

export class AttentionMergeProgram implements WebGPUProgram {
  /** [splits, B · NQ · heads, d/4 and one] vec4: sums, and behind them (largest score, sum of weights, 0, 0). */
  readonly variableNames = ['part'];
  readonly variableComponents = [4];
  readonly outputComponent = 4;
  /** rows: B · NQ · heads; fours: d/4. */
  readonly uniforms = 'rows : i32, fours : i32, splits : i32,';
  readonly workgroupSize: [number, number, number] = [WORKGROUP, 1, 1];
  readonly dispatchLayout = { x: [0] };
  readonly dispatch: [number, number, number];
  readonly outputShape: number[];
  readonly shaderKey = 'mebtAttentionMerge';

  constructor(rows: number, fours: number) {
    this.outputShape = [rows, fours * 4];
    this.dispatch = [Math.ceil((rows * fours) / WORKGROUP), 1, 1];
  }

  getUserCode(): string {
    return `
    fn main(index : i32) {
      if (index >= uniforms.rows * uniforms.fours) { return; }
      let stride = uniforms.fours + 1;
      let row = index / uniforms.fours * stride;
      let step = uniforms.rows * stride;               // from one split to the next
      var high = -1e30;
      for (var i = 0; i < uniforms.splits; i++) { high = max(high, part[i * step + row + uniforms.fours].x); }
      var sum = vec4<f32>(0.0);
      var total = 0.0;
      for (var i = 0; i < uniforms.splits; i++) {
        let found = part[i * step + row + uniforms.fours];
        let factor = exp2(found.x - high);
        sum += part[i * step + row + index % uniforms.fours] * factor;
        total += found.y * factor;
      }
      result[index] = sum * select(0.0, 1.0 / total, total > 0.0);
    }`;
  }
}
