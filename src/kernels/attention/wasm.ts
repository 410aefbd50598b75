/**
 * Multi-head attention on the wasm backend. Its batched product is a plain loop, while a product of two matrices is
 * XNNPACK's, so each head becomes its own matrices, [NQ, d] and (transposed) [d, NK], and queries are taken in chunks,
 * so that scores need a bounded amount of memory, most of which stays in the processor's cache.
 */
import * as tf from '@tensorflow/tfjs-core';
import { changeOnHeap, runOnHeap } from '../heap';
import { type AttentionOptions, visibleKeys } from './visibility';
import { allocateMixed, headsOf, putHead, takeHead, takeQuery } from './wasmHeads';

/** Scores held at once: 4 MiB. Larger chunks fall out of the cache, smaller ones repack the keys more often. */
const SCORES_AT_ONCE = 1 << 20;

/** query [B, NQ, C], key and value [B, NK, C] -> [B, NQ, C]. What queries see is as in index.ts. */
export function attentionOnWasm(
  query: tf.Tensor3D,
  key: tf.Tensor3D,
  value: tf.Tensor3D,
  heads: number,
  options: AttentionOptions = {},
): tf.Tensor3D {
  const [batch, queries] = query.shape;
  const visible = visibleKeys(queries, key.shape[1], options);
  if (queries === 1) return attendOnce(query, key, value, heads, visible(0));
  return tf.tidy(() => {
    const keys = visible(queries - 1);
    const atOnce = Math.max(1, Math.floor(SCORES_AT_ONCE / keys));
    const mixed = allocateMixed(query.shape);
    for (const head of headsOf(batch, heads)) {
      tf.tidy(() => {
        const columns = tf.transpose(takeHead(key, heads, head, 0, keys)) as tf.Tensor2D; // [d, keys]
        const values = takeHead(value, heads, head, 0, keys); // [keys, d]
        for (let first = 0; first < queries; first += atOnce) {
          const count = Math.min(atOnce, queries - first);
          const seen = visible(first + count - 1);
          if (seen === 0) continue;
          tf.tidy(() => {
            const [k, v] = [firstColumns(columns, seen), firstRows(values, seen)];
            const scores = tf.matMul(takeQuery(query, heads, head, first, count), k) as tf.Tensor2D; // [n, seen]
            if (options.causal) hideFuture(scores, (query) => visible(first + query));
            const part = tf.matMul(tf.softmax(scores), v) as tf.Tensor2D; // [n, d]
            putHead(mixed, part, head, first, (query) => visible(first + query) > 0);
          });
        }
      });
    }
    return mixed;
  });
}

/** columns [d, N] -> [d, count]; the same tensor where that is all of them, which XNNPACK then does not pack again. */
function firstColumns(columns: tf.Tensor2D, count: number): tf.Tensor2D {
  const [rows, all] = columns.shape;
  if (count === all) return columns;
  return runOnHeap([columns], [rows, count], (heap, output, input) => {
    for (let row = 0; row < rows; row++) {
      heap.copyWithin(output + row * count, input + row * all, input + row * all + count);
    }
  });
}

/** values [N, d] -> [count, d]. */
function firstRows(values: tf.Tensor2D, count: number): tf.Tensor2D {
  const [all, size] = values.shape;
  if (count === all) return values;
  return runOnHeap([values], [count, size], (heap, output, input) => {
    heap.copyWithin(output, input, input + count * size);
  });
}

/** Writes -∞ over the scores [n, keys] of keys that a query does not see; where it sees none, of all but one. */
function hideFuture(scores: tf.Tensor2D, visible: (query: number) => number): void {
  const [count, keys] = scores.shape;
  changeOnHeap([scores], (heap, input) => {
    for (let n = 0; n < count; n++) {
      const row = input + n * keys;
      heap.fill(Number.NEGATIVE_INFINITY, row + Math.max(1, visible(n)), row + keys);
    }
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
