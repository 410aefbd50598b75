/** Attention on WebGPU: picks tile sizes, splits the keys where queries alone leave a GPU idle, and runs the programs. */
import type { WebGPUBackend } from '@tensorflow/tfjs-backend-webgpu';
import * as tf from '@tensorflow/tfjs-core';
import { float, int, runOnGpu } from '../gpu';
import { AttentionMergeProgram } from './mergeProgram';
import {
  AttentionProgram,
  type AttentionVariant,
  keysAtOnce,
  queriesAtOnce,
  workgroupBytes,
} from './program';
import { type AttentionOptions, visibleKeys } from './visibility';

/** Workgroups of 64 threads that keep a large GPU busy (some 130 processors, a few workgroups each). */
const GROUPS_WANTED = 512;
/** A range of keys shorter than this is not worth its share of the merge. */
const KEYS_OF_A_SPLIT = 128;
/** Up to so many queries a workgroup takes 8 of them, else 32. */
const FEW_QUERIES = 8;

type Tile = Omit<AttentionVariant, 'split'>;

/** The tile for heads of `size` channels, or undefined where the kernel does not serve them. */
export function attentionTile(size: number, queries: number, workgroupMemory: number): Tile | undefined {
  if (size % 4 !== 0 || size < 16 || size > 128) return undefined;
  const rows = queries <= FEW_QUERIES ? 1 : 4;
  const tiles = ([4, 2] as const).map((columns) => ({ fours: size / 4, rows, columns }) as const);
  return tiles.find((tile) => workgroupBytes(tile) <= workgroupMemory);
}

/** How the keys are shared out: `splits` ranges of `span` keys, a multiple of `step`. */
export function splitKeys(keys: number, groups: number, step: number): { splits: number; span: number } {
  const wanted = Math.min(Math.ceil(GROUPS_WANTED / groups), Math.floor(keys / KEYS_OF_A_SPLIT));
  const span = Math.ceil(keys / Math.max(1, wanted) / step) * step;
  return { splits: Math.ceil(keys / span), span };
}

/** query [B, NQ, C], key and value [B, NK, C] -> [B, NQ, C], or undefined where the kernel does not serve the size. */
export function attentionOnWebGpu(
  query: tf.Tensor3D,
  key: tf.Tensor3D,
  value: tf.Tensor3D,
  heads: number,
  options: AttentionOptions,
): tf.Tensor3D | undefined {
  const [batch, queries, width] = query.shape;
  const size = width / heads;
  const { limits } = (tf.backend() as WebGPUBackend).device;
  const tile = attentionTile(size, queries, limits.maxComputeWorkgroupStorageSize);
  if (!tile) return undefined;

  const { keyCount = key.shape[1], causal = false } = options;
  const blocks = Math.ceil(queries / queriesAtOnce(tile));
  const groups = blocks * heads * batch;
  const visible = visibleKeys(queries, key.shape[1], options);
  const { splits, span } = splitKeys(Math.max(1, visible(queries - 1)), groups, keysAtOnce(tile));
  const rows = batch * queries * heads;
  const split = splits > 1;
  const shape = split ? [splits, rows, size + 4] : query.shape;
  const program = new AttentionProgram({ ...tile, split }, shape, groups * splits);
  const uniforms = [
    ...[batch, queries, key.shape[1], heads, blocks, splits, span, keyCount].map(int),
    int(causal ? keyCount - queries + 1 : keyCount),
    int(causal ? 1 : 0),
    float(Math.LOG2E / Math.sqrt(size)),
  ];
  const found = runOnGpu<tf.Tensor3D>(
    program,
    [query, key, value],
    shape,
    uniforms,
    4 * rows * keyCount * size,
  );
  if (!split) return found;
  const merge = new AttentionMergeProgram(rows, tile.fours);
  const merged = runOnGpu<tf.Tensor3D>(merge, [found], query.shape, [rows, tile.fours, splits].map(int));
  found.dispose();
  return merged;
}
