/** Attention on WebGPU: picks tile sizes, splits the keys where queries alone leave a GPU idle, and runs the programs. */
import type { WebGPUBackend } from '@tensorflow/tfjs-backend-webgpu';
import * as tf from '@tensorflow/tfjs-core';
import type { Factors } from '../float16';
import { factorsOf, float, gpuTraits, int, runOnGpu } from '../gpu';
import { unwritten, writeRows } from '../writeRows';
import { AttentionMergeProgram } from './mergeProgram';
import type { KeyPiece } from './pieces';
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
export function attentionTile(
  size: number,
  queries: number,
  workgroupMemory: number,
  factors: Factors,
): Tile | undefined {
  if (size % 4 !== 0 || size < 16 || size > 128) return undefined;
  const rows = queries <= FEW_QUERIES ? 1 : 4;
  const tiles = ([4, 2] as const).map((columns) => ({ fours: size / 4, rows, columns, factors }) as const);
  return tiles.find((tile) => workgroupBytes(tile) <= workgroupMemory);
}

/** How the keys are shared out: `splits` ranges of `span` keys, a multiple of `step`. */
export function splitKeys(keys: number, groups: number, step: number): { splits: number; span: number } {
  const wanted = Math.min(Math.ceil(GROUPS_WANTED / groups), Math.floor(keys / KEYS_OF_A_SPLIT));
  const span = Math.ceil(keys / Math.max(1, wanted) / step) * step;
  return { splits: Math.ceil(keys / span), span };
}

/**
 * query [B, NQ, C], key and value [B, NK, C] -> [B, NQ, C], or undefined where the kernel does not serve the size.
 * `factors` are the adapter's when left out.
 */
export function attentionOnWebGpu(
  query: tf.Tensor3D,
  key: tf.Tensor3D,
  value: tf.Tensor3D,
  heads: number,
  options: AttentionOptions,
  factors = factorsOf(gpuTraits()),
): tf.Tensor3D | undefined {
  const tile = tileFor(query, heads, factors);
  if (!tile) return undefined;
  const queries = query.shape[1];
  const visible = visibleKeys(queries, key.shape[1], options);
  const ranges = rangesOf(query, heads, Math.max(1, visible(queries - 1)), tile);
  const found = attend(query, { key, value }, heads, tile, ranges, ranges.splits > 1, options);
  if (ranges.splits === 1) return found;
  const merged = mergeSplits(found, query, heads, ranges.splits, tile);
  found.dispose();
  return merged;
}

/**
 * The same without masks, over the keys and values of all pieces. Each is one range of keys and leaves its partial sums:
 * more ranges would take more memory than the pieces save.
 */
export function attentionInPiecesOnWebGpu(
  query: tf.Tensor3D,
  pieces: readonly KeyPiece[],
  heads: number,
): tf.Tensor3D | undefined {
  const tile = tileFor(query, heads, factorsOf(gpuTraits()));
  if (!tile) return undefined;
  const [batch, queries] = query.shape;
  return tf.tidy(() => {
    const sums = query.size + 4 * batch * queries * heads;
    const parts = unwritten([1, pieces.length, sums]);
    pieces.forEach(({ count, weight, make }, i) => {
      tf.tidy(() => {
        const found = attend(query, make(), heads, tile, { splits: 1, span: count }, true, {}, weight);
        writeRows(parts, tf.reshape(found, [1, 1, sums]), i);
      });
    });
    return mergeSplits(parts, query, heads, pieces.length, tile);
  });
}

function tileFor(
  { shape: [, queries, width] }: tf.Tensor3D,
  heads: number,
  factors: Factors,
): Tile | undefined {
  const { limits } = (tf.backend() as WebGPUBackend).device;
  return attentionTile(width / heads, queries, limits.maxComputeWorkgroupStorageSize, factors);
}

interface Ranges {
  /** Ranges of keys that are worked on side by side, and how many keys each has. */
  readonly splits: number;
  readonly span: number;
}

function rangesOf({ shape: [batch, queries] }: tf.Tensor3D, heads: number, keys: number, tile: Tile): Ranges {
  return splitKeys(keys, Math.ceil(queries / queriesAtOnce(tile)) * heads * batch, keysAtOnce(tile));
}

/**
 * The result [B, NQ, C], or where `split` the sums of each range, [splits, B · NQ · heads, d + 4], as if each key were
 * there `weight` times.
 */
function attend(
  query: tf.Tensor3D,
  { key, value }: { readonly key: tf.Tensor3D; readonly value: tf.Tensor3D },
  heads: number,
  tile: Tile,
  { splits, span }: Ranges,
  split: boolean,
  { keyCount = key.shape[1], causal = false }: AttentionOptions,
  weight = 1,
): tf.Tensor3D {
  const [batch, queries, width] = query.shape;
  const size = width / heads;
  const blocks = Math.ceil(queries / queriesAtOnce(tile));
  const rows = batch * queries * heads;
  const shape = split ? [splits, rows, size + 4] : query.shape;
  const program = new AttentionProgram({ ...tile, split }, shape, blocks * heads * batch * splits);
  const uniforms = [
    ...[batch, queries, key.shape[1], heads, blocks, splits, span, keyCount].map(int),
    int(causal ? keyCount - queries + 1 : keyCount),
    int(causal ? 1 : 0),
    float(Math.LOG2E / Math.sqrt(size)),
    float(Math.log2(weight)),
  ];
  return runOnGpu<tf.Tensor3D>(program, [query, key, value], shape, uniforms, 4 * rows * keyCount * size);
}

function mergeSplits(
  parts: tf.Tensor,
  query: tf.Tensor3D,
  heads: number,
  splits: number,
  { fours }: Tile,
): tf.Tensor3D {
  const rows = query.shape[0] * query.shape[1] * heads;
  const merge = new AttentionMergeProgram(rows, fours);
  return runOnGpu<tf.Tensor3D>(merge, [parts], query.shape, [rows, fours, splits].map(int));
}
