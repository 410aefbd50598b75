/**
 * x * scale + bias per channel and SiLU in one pass of WGSL; without scale and bias, SiLU alone. A thread makes an
 * element, or four neighbours where channels come in fours.
 */
import type { WebGPUProgram } from '@tensorflow/tfjs-backend-webgpu';

const WORKGROUP = 64;

export class ChannelAffineProgram implements WebGPUProgram {
  readonly variableNames: string[];
  readonly variableComponents: number[];
  readonly outputComponent: number;
  /** In elements of the result: channels (or a fourth of them), and all. */
  readonly uniforms = 'channels : i32, elements : i32,';
  readonly workgroupSize: [number, number, number] = [WORKGROUP, 1, 1];
  readonly dispatchLayout = { x: [0] };
  readonly dispatch: [number, number, number];
  readonly outputShape: number[];
  readonly shaderKey: string;
  private readonly affine: boolean;
  private readonly silu: boolean;

  /** `components`: what a thread makes; the program's uniforms count in it. */
  constructor(elements: number, components: 1 | 4, affine: boolean, silu: boolean) {
    this.affine = affine;
    this.silu = silu;
    this.variableNames = affine ? ['x', 'scale', 'bias'] : ['x'];
    this.variableComponents = this.variableNames.map(() => components);
    this.outputComponent = components;
    this.outputShape = [elements];
    this.dispatch = [Math.ceil(elements / components / WORKGROUP), 1, 1];
    this.shaderKey = `mebtChannelAffine_${affine}_${silu}_${components}`;
  }

  getUserCode(): string {
    return `
    fn main(index : i32) {
      if (index >= uniforms.elements) { return; }
      var y = x[index];
      ${this.affine ? 'let c = index % uniforms.channels; y = y * scale[c] + bias[c];' : ''}
      ${this.silu ? 'y = y / (1.0 + exp(-y));' : ''}
      result[index] = y;
    }`;
  }
}
