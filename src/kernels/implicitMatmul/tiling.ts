/** Which of the WGSL programs makes a convolution, and how much a thread of it does. The only place that decides. */
import { factorsOf, type GpuTraits } from '../gpu';
import { type ProductTile, workgroupsOf } from '../productTiles';

export type MatmulTiling =
  | { readonly program: 'registers'; readonly rows: 4 | 8 }
  | { readonly program: 'tiles'; readonly tile: ProductTile };

export interface MatmulSize {
  /** Positions of the result, B·T'·H'·W', and those of a row of one phase of W. */
  readonly positions: number;
  readonly columns: number;
  readonly inputs: number;
  readonly outputs: number;
}

/** Of inputs or outputs: below, most of a tile would be empty. */
const LEAST_CHANNELS = 12;
/** As for linear layers (linear/tiling.ts): a larger card should have work for all its processors. */
const ENOUGH_WORKGROUPS = 128;

/** Known practice, as in linear/tiling.ts, where software adapters and graphics cards are told apart by the same reasons. */
export function chooseMatmul(
  { positions, columns, inputs, outputs }: MatmulSize,
  traits: GpuTraits,
): MatmulTiling {
  if (traits.software || Math.min(inputs, outputs) < LEAST_CHANNELS) {
    return { program: 'registers', rows: columns >= 8 ? 8 : 4 };
  }
  const tile = (rows: ProductTile['rows']): ProductTile => ({
    across: outputs <= 32 ? 8 : 16,
    rows,
    factors: factorsOf(traits),
  });
  const tall = ([8, 4] as const).find(
    (rows) => workgroupsOf(tile(rows), positions, outputs) >= ENOUGH_WORKGROUPS,
  );
  return { program: 'tiles', tile: tile(tall ?? 2) };
}
