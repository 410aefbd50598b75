/**
 * Multi-head attention on the wasm backend. Its batched product is a plain loop, while a product of two matrices is
 * XNNPACK's, so each head becomes its own matrices, [NQ, d] and (transposed) [d, NK], and queries are taken in chunks,
 * so that scores need a bounded amount of memory, most of which stays in the processor's cache.
 */
import * as tf from '@tensorflow/tfjs-core';
import { runOnHeap } from '../heap';
import { type AttentionOptions, visibleKeys } from './visibility';

/** Scores held at once: 4 MiB. Larger chunks fall out of the cache, smaller ones repack the keys more often. */
const SCORES_AT_ONCE = 1 << 20;

/** A few queries of one head, and the keys that the last of them sees. */
interface Chunk {
  readonly sample: number;
  readonly head: number;
  readonly first: number;
  readonly count: number;
  readonly keys: number;
}

/** query [B, NQ, C], key and value [B, NK, C] -> [B, NQ, C]. What queries see is as in index.ts. */
export function attentionOnWasm(
  query: tf.Tensor3D,
  key: tf.Tensor3D,
  value: tf.Tensor3D,
  heads: number,
  options: AttentionOptions = {},
): tf.Tensor3D {
  const [batch, queries, width] = query.shape;
  const visible = visibleKeys(queries, key.shape[1], options);
  if (queries === 1) return attendOnce(query, key, value, heads, visible(0));
  return tf.tidy(() => {
    const scaled = tf.mul(query, 1 / Math.sqrt(width / heads)) as tf.Tensor3D;
    const columns = tf.transpose(key, [0, 2, 1]); // [B, C, NK]
    const atOnce = Math.max(1, Math.floor(SCORES_AT_ONCE / visible(queries - 1)));
    const chunks: Chunk[] = [];
    for (let sample = 0; sample < batch; sample++) {
      for (let head = 0; head < heads; head++) {
        for (let first = 0; first < queries; first += atOnce) {
          const count = Math.min(atOnce, queries - first);
          const keys = visible(first + count - 1);
          if (keys > 0) chunks.push({ sample, head, first, count, keys });
        }
      }
    }
    const mixed = chunks.map((chunk) =>
      tf.tidy(() => {
        const q = takeHead(scaled, heads, chunk, chunk.first, chunk.count); // [n, d]
        const k = takeRows(columns, heads, chunk); // [d, keys]
        const scores = tf.matMul(q, k) as tf.Tensor2D;
        if (options.causal) hideFuture(scores, chunk, visible);
        const v = takeHead(value, heads, chunk, 0, chunk.keys);
        return tf.matMul(tf.softmax(scores), v) as tf.Tensor2D; // [n, d]
      }),
    );
    return joinChunks(mixed, chunks, query.shape, heads, visible);
  });
}

/** x [B, N, C] -> x[sample, first … first + count, head], [count, d]. */
function takeHead(
  x: tf.Tensor3D,
  heads: number,
  { sample, head }: Chunk,
  first: number,
  count: number,
): tf.Tensor2D {
  const [, rows, width] = x.shape;
  const size = width / heads;
  return runOnHeap([x], [count, size], (heap, output, input) => {
    const start = input + (sample * rows + first) * width + head * size;
    for (let n = 0; n < count; n++) {
      const source = start + n * width;
      heap.copyWithin(output + n * size, source, source + size);
    }
  });
}

/** x [B, C, N] -> x[sample, head, 0 … keys], [d, keys]. */
function takeRows(x: tf.Tensor3D, heads: number, { sample, head, keys }: Chunk): tf.Tensor2D {
  const [, width, count] = x.shape;
  const rows = width / heads;
  return runOnHeap([x], [rows, keys], (heap, output, input) => {
    const first = input + (sample * width + head * rows) * count;
    if (keys === count) {
      heap.copyWithin(output, first, first + rows * count);
      return;
    }
    for (let row = 0; row < rows; row++) {
      const source = first + row * count;
      heap.copyWithin(output + row * keys, source, source + keys);
    }
  });
}

/** Writes -∞ over the scores [n, keys] of keys that a query does not see; where it sees none, of all but one. */
function hideFuture(scores: tf.Tensor2D, { first, keys }: Chunk, visible: (query: number) => number): void {
  const [count] = scores.shape;
  // A tensor of its own, of one float, is all that is made; the scores are written in place.
  runOnHeap<tf.Tensor1D>([scores], [1], (heap, _, input) => {
    for (let n = 0; n < count; n++) {
      const row = input + n * keys;
      heap.fill(Number.NEGATIVE_INFINITY, row + Math.max(1, visible(first + n)), row + keys);
    }
  }).dispose();
}

/** Matrices [n, d] of the chunks -> [B, NQ, C]; zero for queries that see nothing. */
function joinChunks(
  parts: readonly tf.Tensor2D[],
  chunks: readonly Chunk[],
  shape: [number, number, number],
  heads: number,
  visible: (query: number) => number,
): tf.Tensor3D {
  const [, queries, width] = shape;
  const size = width / heads;
  return runOnHeap(parts, shape, (heap, output, ...inputs) => {
    if (visible(0) === 0) heap.fill(0, output, output + shape[0] * queries * width);
    chunks.forEach(({ sample, head, first, count }, i) => {
      const input = inputs[i] ?? 0;
      for (let n = 0; n < count; n++) {
        if (visible(first + n) === 0) continue;
        const target = output + (sample * queries + first + n) * width + head * size;
        heap.copyWithin(target, input + n * size, input + (n + 1) * size);
      }
    });
  });
}

/**
 * One query a sample, as in autoregressive decoding: neither keys nor values are rearranged. The heads' queries stand
 * in the blocks of one matrix, so that a single product with the keys as they are gives all scores; of the second
 * product the blocks on the diagonal are kept.
 */
function attendOnce(
  query: tf.Tensor3D,
  key: tf.Tensor3D,
  value: tf.Tensor3D,
  heads: number,
  keys: number,
): tf.Tensor3D {
  const [batch, , width] = query.shape;
  const size = width / heads;
  return tf.tidy(() => {
    // Not `tf.slice`, which on wasm copies all of x first.
    const rows = (x: tf.Tensor3D, sample: number): tf.Tensor2D =>
      runOnHeap([x], [keys, width], (heap, output, input) => {
        const start = input + sample * x.shape[1] * width;
        heap.copyWithin(output, start, start + keys * width);
      });
    const mixed = Array.from({ length: batch }, (_, sample) =>
      tf.tidy(() => {
        const blocks = headBlocks(query, sample, heads); // [C, heads]
        const scores = tf.transpose(tf.matMul(rows(key, sample), blocks)); // [heads, keys]
        return tf.matMul(tf.softmax(scores), rows(value, sample)) as tf.Tensor2D; // [heads, C]
      }),
    );
    return runOnHeap(mixed, query.shape, (heap, output, ...inputs) => {
      inputs.forEach((input, sample) => {
        for (let head = 0; head < heads; head++) {
          const start = input + head * width + head * size;
          heap.copyWithin(output + sample * width + head * size, start, start + size);
        }
      });
    });
  });
}

/** query [B, 1, C] -> [C, heads] with head h's scaled query in rows h·d to (h+1)·d of column h, zero elsewhere. */
function headBlocks(query: tf.Tensor3D, sample: number, heads: number): tf.Tensor2D {
  const width = query.shape[2];
  const size = width / heads;
  return runOnHeap([query], [width, heads], (heap, output, input) => {
    heap.fill(0, output, output + width * heads);
    for (let c = 0; c < width; c++) {
      heap[output + c * heads + Math.floor(c / size)] =
        (heap[input + sample * width + c] ?? 0) / Math.sqrt(size);
    }
  });
}
