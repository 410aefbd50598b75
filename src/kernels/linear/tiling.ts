/**
 * Which of the WGSL programs makes a linear layer, and how much a thread of it does. The only place that decides.
 */
import type { WebGPUProgram } from '@tensorflow/tfjs-backend-webgpu';
import type { Factors } from '../float16';
import { factorsOf, type GpuTraits } from '../gpu';
import { RegisterTilesProgram } from './registerTiles';
import type { LinearVariant } from './shader';
import { SplitInputsProgram } from './splitInputs';
import { WorkgroupTilesProgram, workgroups } from './workgroupTiles';

export type Tiling =
  | { readonly program: 'registerTiles'; readonly rows: 1 | 4 | 8 }
  | { readonly program: 'splitInputs'; readonly rows: 1 | 4 }
  | { readonly program: 'workgroupTiles'; readonly rows: 2 | 4 | 8; readonly factors: Factors };

/** Workgroups below which a larger card has processors without work: there, smaller tiles cost less than idleness. */
const ENOUGH_WORKGROUPS = 128;

/**
 * Software adapters run a workgroup's threads one after the other on a few cores with large caches: workgroup memory and
 * barriers cost them without a gain (SwiftShader took twice as long with them), and a large register tile is quickest.
 * Graphics cards need many threads, and reuse from workgroup memory: that is known practice, not measured, as no card was
 * at hand.
 */
export function chooseTiling(rows: number, outputs: number, traits: GpuTraits): Tiling {
  if (traits.software) return { program: 'registerTiles', rows: rows >= 8 ? 8 : rows > 1 ? 4 : 1 };
  if (rows <= 4) return { program: 'splitInputs', rows: rows === 1 ? 1 : 4 };
  const tall = ([8, 4] as const).find((r) => workgroups(rows, outputs, r) >= ENOUGH_WORKGROUPS);
  return { program: 'workgroupTiles', rows: tall ?? 2, factors: factorsOf(traits) };
}

export function makeProgram(
  tiling: Tiling,
  variant: LinearVariant,
  outputShape: [number, number],
): WebGPUProgram {
  switch (tiling.program) {
    case 'registerTiles':
      return new RegisterTilesProgram(variant, outputShape, tiling.rows);
    case 'splitInputs':
      return new SplitInputsProgram(variant, outputShape, tiling.rows);
    case 'workgroupTiles':
      return new WorkgroupTilesProgram(variant, outputShape, tiling.rows, tiling.factors);
  }
}
