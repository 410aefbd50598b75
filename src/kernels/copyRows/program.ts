/**
 * Copies n rows of each sample from one tensor into another, from a row on in either, and leaves the rest of the result
 * alone. A thread an element, or four neighbours where channels come in fours.
 */
import type { WebGPUProgram } from '@tensorflow/tfjs-backend-webgpu';

const WORKGROUP = 64;

export class CopyRowsProgram implements WebGPUProgram {
  readonly variableNames = ['source'];
  readonly variableComponents: number[];
  readonly outputComponent: number;
  /**
   * In elements (or fours of them): run: what a sample's rows take; elements: all samples'; start and to: where they begin
   * in the first sample of source and result; sourceStep and resultStep: from one sample to the next.
   */
  readonly uniforms = 'run : i32, elements : i32, start : i32, to : i32, sourceStep : i32, resultStep : i32,';
  readonly workgroupSize: [number, number, number] = [WORKGROUP, 1, 1];
  readonly dispatchLayout = { x: [0] };
  readonly dispatch: [number, number, number];
  readonly outputShape: number[];
  readonly shaderKey: string;

  /** `elements` are counted in `components`. */
  constructor(elements: number, components: 1 | 4) {
    this.variableComponents = [components];
    this.outputComponent = components;
    this.outputShape = [elements * components];
    this.dispatch = [Math.ceil(elements / WORKGROUP), 1, 1];
    this.shaderKey = `mebtCopyRows_${components}`;
  }

  getUserCode(): string {
    return `
    fn main(index : i32) {
      if (index >= uniforms.elements) { return; }
      let sample = index / uniforms.run;
      let i = index % uniforms.run;
      result[uniforms.to + sample * uniforms.resultStep + i] =
        source[uniforms.start + sample * uniforms.sourceStep + i];
    }`;
  }
}
