/**
 * Group normalisation in WGSL, x [B, P, C] with P = T·H·W. It is read twice, by the first and the last of three programs:
 * statistics of short stretches of each channel, those put together for each group, and the normalisation itself, with
 * SiLU where asked. No stretch is longer than STRETCH positions, so float32 sums are short, and as each is taken about a
 * value of its own, a mean far from zero cancels nothing.
 */
import type { WebGPUProgram } from '@tensorflow/tfjs-backend-webgpu';
import { workgroupTotal } from '../workgroupTotal';

const WORKGROUP = 64;

/** Positions of a stretch: long enough to make the second program's work small, short enough to occupy a GPU. */
export const STRETCH = 64;

abstract class Program {
  readonly workgroupSize: [number, number, number] = [WORKGROUP, 1, 1];
  readonly dispatchLayout = { x: [0] };
  readonly dispatch: [number, number, number];
  readonly outputShape: number[];

  protected constructor(outputShape: number[], groups: number) {
    this.outputShape = outputShape;
    this.dispatch = [groups, 1, 1];
  }
}

/** A thread a stretch and channel; neighbours take neighbouring channels. -> [B, stretches, C] (mean, Σ(x - mean)²). */
export class StretchProgram extends Program implements WebGPUProgram {
  readonly variableNames = ['x'];
  readonly variableComponents = [1];
  readonly outputComponent = 2;
  /** threads: B · stretches · C. */
  readonly uniforms = 'positions : i32, channels : i32, stretches : i32, threads : i32,';
  readonly shaderKey = 'mebtGroupNormStretch';

  constructor(batch: number, stretches: number, channels: number) {
    super([batch, stretches, channels * 2], Math.ceil((batch * stretches * channels) / WORKGROUP));
  }

  getUserCode(): string {
    return `
    fn main(index : i32) {
      if (index >= uniforms.threads) { return; }
      let c = index % uniforms.channels;
      let rest = index / uniforms.channels;
      let stretch = rest % uniforms.stretches;
      let sample = rest / uniforms.stretches;
      let first = stretch * ${STRETCH};
      let count = min(${STRETCH}, uniforms.positions - first);
      let start = (sample * uniforms.positions + first) * uniforms.channels + c;
      let about = x[start];                            // a value near all others
      var sum = 0.0;
      var squares = 0.0;
      for (var i = 1; i < count; i++) {
        let d = x[start + i * uniforms.channels] - about;
        sum += d;
        squares += d * d;
      }
      let mean = sum / f32(count);
      result[index] = vec2<f32>(about + mean, max(0.0, squares - sum * mean));
    }`;
  }
}

/** A workgroup a sample and group. part [B, stretches, C] of StretchProgram -> [B, G] (mean, 1/√(variance + ε)). */
export class GroupProgram extends Program implements WebGPUProgram {
  readonly variableNames = ['part'];
  readonly variableComponents = [2];
  readonly outputComponent = 2;
  /** size: C/G; last: positions of the last stretch; rows: B · G. */
  readonly uniforms =
    'positions : i32, channels : i32, stretches : i32, size : i32, last : i32, rows : i32, epsilon : f32,';
  readonly shaderKey = 'mebtGroupNormGroup';

  constructor(batch: number, groups: number) {
    super([batch, groups * 2], batch * groups);
  }

  getUserCode(): string {
    const loop = (body: string): string => `
      for (var i = lane; i < uniforms.stretches * uniforms.size; i += ${WORKGROUP}) {
        let stretch = i / uniforms.size;
        let found = part[start + stretch * uniforms.channels + i % uniforms.size];
        let count = f32(select(${STRETCH}, uniforms.last, stretch == uniforms.stretches - 1));
        ${body}
      }`;
    return `${workgroupTotal(WORKGROUP)}
    fn main(index : i32) {
      // A dispatch over 65,535 workgroups is reshaped, and may then have some to spare.
      let row = min(index / ${WORKGROUP}, uniforms.rows - 1);
      let lane = index % ${WORKGROUP};
      let groups = uniforms.channels / uniforms.size;
      let start = row / groups * uniforms.stretches * uniforms.channels + row % groups * uniforms.size;
      let elements = f32(uniforms.positions * uniforms.size);
      var sum = 0.0;
      ${loop('sum += found.x * count;')}
      let mean = total(lane, sum) / elements;
      var squares = 0.0;
      ${loop('let d = found.x - mean; squares += found.y + d * d * count;')}
      let variance = total(lane, squares) / elements;
      if (lane == 0) { result[row] = vec2<f32>(mean, inverseSqrt(variance + uniforms.epsilon)); }
    }`;
  }
}

/** A thread an element. x [B, P, C], moments [B, G] of GroupProgram, scale and bias [C] -> [B, P, C]. */
export class NormaliseProgram extends Program implements WebGPUProgram {
  readonly variableNames = ['x', 'moments', 'scale', 'bias'];
  readonly variableComponents = [1, 2, 1, 1];
  readonly outputComponent = 1;
  readonly uniforms = 'positions : i32, channels : i32, size : i32, elements : i32,';
  readonly shaderKey: string;
  private readonly silu: boolean;

  constructor(elements: number, silu: boolean) {
    super([elements], Math.ceil(elements / WORKGROUP));
    this.silu = silu;
    this.shaderKey = `mebtGroupNormNormalise_${silu}`;
  }

  getUserCode(): string {
    return `
    fn main(index : i32) {
      if (index >= uniforms.elements) { return; }
      let c = index % uniforms.channels;
      let sample = index / uniforms.channels / uniforms.positions;
      let moment = moments[sample * (uniforms.channels / uniforms.size) + c / uniforms.size];
      var y = (x[index] - moment.x) * moment.y * scale[c] + bias[c];
      ${this.silu ? 'y = y / (1.0 + exp(-y));' : ''}
      result[index] = y;
    }`;
  }
}
