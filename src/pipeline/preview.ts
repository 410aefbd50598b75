/**
 * How each code is painted before the decoder runs: a small RGB patch, made once when a model is loaded.
 */
import * as tf from '@tensorflow/tfjs-core';
import { type DecoderParameters, runDecoder } from '../model/decoder';
import type { WeightReader } from '../model/parameters';
import type { PreviewTable } from '../worker/protocol';

const WEIGHT = 'preview.weight';
/** Codes decoded at once where a model brings no preview of its own. */
const CODES_AT_ONCE = 64;
/** Beyond this the decoder would take too long for a preview; the codes then get the colour of their vector. */
const MOST_CODES_DECODED = 4096;

export async function previewTable(
  decoder: DecoderParameters,
  read: WeightReader,
  stored: readonly { readonly name: string; readonly shape: readonly number[] }[],
): Promise<PreviewTable> {
  const weight = stored.find((tensor) => tensor.name === WEIGHT);
  if (weight) return toTable(tf.tidy(() => linearPreview(decoder.codebook, read, weight.shape)));
  if (decoder.config.codes <= MOST_CODES_DECODED) return toTable(await decodedPreview(decoder));
  return toTable(tf.tidy(() => vectorPreview(decoder.codebook)));
}

/** codebook × preview.weight + preview.bias: [U, p, p, 3], nominal range ±0.5. */
function linearPreview(codebook: tf.Tensor2D, read: WeightReader, shape: readonly number[]): tf.Tensor4D {
  const [codes, width] = codebook.shape;
  const values = shape[1] ?? 0;
  const patch = Math.round(Math.sqrt(values / 3));
  if (shape.length !== 2 || patch < 1 || patch * patch * 3 !== values) {
    throw new RangeError(`${WEIGHT} must have shape [D, p·p·3] for a whole p, got [${shape.join(', ')}].`);
  }
  const weight = read.tensor(WEIGHT, [width, values]) as tf.Tensor2D;
  const bias = read.tensor('preview.bias', [values]);
  return tf.reshape(tf.add(tf.matMul(codebook, weight), bias), [codes, patch, patch, 3]);
}

/** Each code as a clip of one token, decoded, and the mean of its pixels: [U, 1, 1, 3]. */
async function decodedPreview(decoder: DecoderParameters): Promise<tf.Tensor4D> {
  const [codes, width] = decoder.codebook.shape;
  const parts: tf.Tensor2D[] = [];
  try {
    for (let first = 0; first < codes; first += CODES_AT_ONCE) {
      const count = Math.min(CODES_AT_ONCE, codes - first);
      const part = tf.tidy(() => {
        const vectors = tf.slice(decoder.codebook, [first, 0], [count, width]);
        const frames = runDecoder(decoder, tf.reshape(vectors, [count, 1, 1, 1, width])); // [count, t, h, w, 3]
        return tf.mean(tf.reshape(frames, [count, -1, 3]), 1) as tf.Tensor2D; // [count, 3]
      });
      parts.push(part);
      await part.data(); // Keeps what is queued on a GPU short.
    }
    return tf.tidy(() => tf.reshape(tf.concat(parts, 0), [codes, 1, 1, 3]));
  } finally {
    tf.dispose(parts);
  }
}

/** Three axes of the centred codebook, each scaled to ±0.5 at two standard deviations: [U, 1, 1, 3]. */
function vectorPreview(codebook: tf.Tensor2D): tf.Tensor4D {
  const [codes, width] = codebook.shape;
  const { mean, variance } = tf.moments(codebook, 0, true);
  const scaled = tf.div(tf.sub(codebook, mean), tf.mul(tf.sqrt(tf.add(variance, 1e-12)), 4)) as tf.Tensor2D;
  const axes = [0, 1, 2].map((axis) => tf.slice(scaled, [0, axis % width], [codes, 1]));
  return tf.reshape(tf.concat(axes, 1), [codes, 1, 1, 3]);
}

async function toTable(colors: tf.Tensor4D): Promise<PreviewTable> {
  try {
    const values = await colors.data();
    const pixels = Uint8Array.from(values, (x) => Math.round(255 * (Math.min(0.5, Math.max(-0.5, x)) + 0.5)));
    return { patch: colors.shape[1], pixels };
  } finally {
    colors.dispose();
  }
}
