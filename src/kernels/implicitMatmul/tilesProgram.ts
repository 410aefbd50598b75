/**
 * A convolution for graphics cards: for each tap a product of matrices by tiles in workgroup memory (productTiles.ts),
 * whose rows are positions of the clip. All positions of a workgroup have the same taps: they are numbered within a phase,
 * that is every s-th one along each axis of a transposed convolution, and all of them otherwise.
 *
 * A step has 16 inputs of one tap; channels beyond I count as 0. Work past the last position is done on clamped indices
 * and not stored.
 */
import type { WebGPUProgram } from '@tensorflow/tfjs-backend-webgpu';
import {
  addStep,
  declareSums,
  declareTiles,
  type ProductTile,
  rowsOfTile,
  TILE_DEPTH,
  TILE_THREADS,
  tileKey,
  turnsOf,
  unrolled,
} from '../productTiles';
import {
  AXES,
  type Axis,
  bindings,
  firstTap,
  MATMUL_UNIFORMS,
  type MatmulVariant,
  matmulFunctions,
  phasesOf,
  sourceOf,
  variantKey,
} from './shader';

const LANES = { T: 'y', H: 'z', W: 'w' } as const;

export class TilesMatmulProgram implements WebGPUProgram {
  readonly variableNames: string[];
  readonly variableComponents: number[];
  readonly outputComponent: number;
  readonly shaderKey: string;
  readonly workgroupSize: [number, number, number] = [TILE_THREADS, 1, 1];
  readonly dispatchLayout = { x: [0] };
  readonly dispatch: [number, number, number];
  /** samples: B; tiles: row tiles of one phase. */
  readonly uniforms = `${MATMUL_UNIFORMS} samples : i32, tiles : i32,`;

  constructor(
    private readonly variant: MatmulVariant,
    private readonly tile: ProductTile,
    readonly outputShape: number[],
    workgroups: number,
  ) {
    const { names, components } = bindings(variant);
    this.variableNames = names;
    this.variableComponents = components;
    this.outputComponent = variant.outputsByFour ? 4 : 1;
    this.dispatch = [workgroups, 1, 1];
    this.shaderKey = `mebtMatmulTiles_${tileKey(tile)}_${variantKey(variant)}`;
  }

  getUserCode(): string {
    const { variant, tile } = this;
    const { across, rows } = tile;
    return `
    ${declareTiles(tile)}
    ${matmulFunctions(variant)}
    ${this.inputsAt()}
    ${this.positionOf()}
    fn main(index : i32) {
      let lane = index % ${TILE_THREADS};
      let quads = (uniforms.outputs + 3) / 4;
      let tilesAcross = (quads + ${across - 1}) / ${across};
      var rest = index / ${TILE_THREADS};
      let firstQuad = rest % tilesAcross * ${across}; rest = rest / tilesAcross;
      let firstRow = rest % uniforms.tiles * ${rowsOfTile(tile)}; rest = rest / uniforms.tiles;
      ${AXES.toReversed()
        .map((a) => `let p${a} = rest % ${phasesOf(variant, a)}; rest = rest / ${phasesOf(variant, a)};`)
        .join('\n')}
      let phase = vec3<i32>(pT, pH, pW);
      let extent = phaseExtent(phase);
      // A reshaped dispatch may have workgroups to spare: theirs are no rows.
      let phaseRows = select(0, uniforms.samples * extent.x * extent.y * extent.z, rest == 0);
      ${unrolled(turnsOf(tile), (turn) => `let at${turn} = positionOf(min(firstRow + (lane + ${turn * TILE_THREADS}) / ${TILE_DEPTH}, max(phaseRows, 1) - 1), phase, extent);`)}
      ${declareSums(tile)}
      ${AXES.map((a) => this.taps(a)).join('\n')}
        let inKernel = ${AXES.map((a) => `j${a} < uniforms.k${a}`).join(' && ')};
        let w = ((jT * uniforms.kH + jH) * uniforms.kW + jW) * uniforms.inputs;
        ${unrolled(turnsOf(tile), (turn) => `let line${turn} = ${this.line(`at${turn}`)};`)}
        for (var start = 0; start * 4 < uniforms.inputs; start += ${TILE_DEPTH}) {
          ${addStep(tile, {
            x: (turn) =>
              `if ((start + depth) * 4 < uniforms.inputs) { value = inputsAt(line${turn}, start + depth); }`,
            weight: `let channel = min(start * 4 + input, uniforms.inputs - 1);
            if (inKernel) { value = weightAt(w + channel, min(firstQuad + column, quads - 1)); }`,
          })}
        }
      }}}
      let o = firstQuad + across;
      if (o >= quads) { return; }
      ${unrolled(
        rows,
        (r) => `{
        let row = firstRow + down + ${(TILE_THREADS / across) * r};
        if (row < phaseRows) {
          let p = positionOf(row, phase, extent);
          finish((((p.x * uniforms.mT + p.y) * uniforms.mH + p.z) * uniforms.mW + p.w) * uniforms.outputs, o, sum${r});
        }
      }`,
      )}
    }`;
  }

  /** Opens the loop over an axis's taps. As often for each phase, because barriers stand in it; j may be past the last. */
  private taps(axis: Axis): string {
    const step = phasesOf(this.variant, axis);
    const turns = `(uniforms.k${axis} + ${step} - 1) / ${step}`;
    return `for (var turn${axis} = 0; turn${axis} < ${turns}; turn${axis}++) {
        let j${axis} = ${firstTap(this.variant, axis, `p${axis}`)} + turn${axis} * ${step};`;
  }

  /** Where the channels of the input that `position` reads with the present taps start. */
  private line(position: string): string {
    const [t, h, w] = AXES.map((a) => sourceOf(this.variant, a, `${position}.${LANES[a]}`));
    return `(((${position}.x * uniforms.nT + ${t}) * uniforms.nH + ${h}) * uniforms.nW + ${w}) * uniforms.inputs`;
  }

  /** Rows of a phase are numbered by sample, T, H, W. */
  private positionOf(): string {
    const steps = AXES.map((a) => phasesOf(this.variant, a));
    const extents = AXES.map((a, i) => `(uniforms.m${a} - phase[${i}] + ${steps[i]} - 1) / ${steps[i]}`);
    return `
    fn phaseExtent(phase : vec3<i32>) -> vec3<i32> { return vec3<i32>(${extents.join(', ')}); }
    // (sample, t, h, w) of a row of a phase
    fn positionOf(row : i32, phase : vec3<i32>, extent : vec3<i32>) -> vec4<i32> {
      var rest = row;
      let w = rest % extent.z; rest = rest / extent.z;
      let h = rest % extent.y; rest = rest / extent.y;
      return vec4<i32>(rest / extent.x, phase + vec3<i32>(rest % extent.x, h, w) * vec3<i32>(${steps.join(', ')}));
    }`;
  }

  private inputsAt(): string {
    const lane = (k: number): string =>
      `select(0.0, x[line + min(c * 4 + ${k}, uniforms.inputs - 1)], c * 4 + ${k} < uniforms.inputs)`;
    const value = this.variant.inputsByFour
      ? 'x[line / 4 + c]'
      : `vec4<f32>(${[0, 1, 2, 3].map(lane).join(', ')})`;
    return `fn inputsAt(line : i32, c : i32) -> vec4<f32> { return ${value}; }`;
  }
}
