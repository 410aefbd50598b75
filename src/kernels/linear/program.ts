/** What tfjs asks of a linear layer's program, which is the same however the work is divided among threads. */
import type { WebGPUProgram } from '@tensorflow/tfjs-backend-webgpu';
import { bindings, LINEAR_UNIFORMS, type LinearVariant, variantKey } from './shader';

export interface LinearDispatch {
  /** Told apart by it from the other programs. */
  readonly name: string;
  /** Threads of a workgroup. */
  readonly workgroup: number;
  readonly workgroups: number;
}

export abstract class LinearProgram implements WebGPUProgram {
  readonly variableNames: string[];
  readonly variableComponents: number[];
  readonly outputComponent: number;
  readonly uniforms = LINEAR_UNIFORMS;
  readonly workgroupSize: [number, number, number];
  readonly dispatchLayout = { x: [0] };
  readonly dispatch: [number, number, number];
  readonly shaderKey: string;

  /** `outputShape` is [P, O]; `rows` of P are made by a thread. */
  constructor(
    protected readonly variant: LinearVariant,
    readonly outputShape: [number, number],
    protected readonly rows: number,
    { name, workgroup, workgroups }: LinearDispatch,
  ) {
    const { names, components } = bindings(variant);
    this.variableNames = names;
    this.variableComponents = components;
    this.outputComponent = variant.outputsByFour ? 4 : 1;
    this.workgroupSize = [workgroup, 1, 1];
    this.dispatch = [workgroups, 1, 1];
    this.shaderKey = `mebtLinear${name}_${rows}_${variantKey(variant)}`;
  }

  abstract getUserCode(): string;
}
