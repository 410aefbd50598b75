/**
 * The tokenizer's decoder as one writes it with tfjs alone: `tf.conv3d` and `tf.conv3dTranspose` with gathered padding,
 * the whole clip at once. Where a backend's transposed convolution is wrong or missing (wasm gives wrong values), the
 * same is written as a convolution over inserted zeros.
 */
import * as tf from '@tensorflow/tfjs-core';
import type { Extent3 } from '../../src/config/model';
import { channelAffineReference } from '../../src/kernels/channelAffine/reference';
import { replicatePad, samePadding3 } from '../../src/kernels/conv3d/padding';
import { conv3dReference } from '../../src/kernels/conv3d/reference';
import { convTranspose3dReference } from '../../src/kernels/convTranspose3d/reference';
import { groupNorm } from '../../src/kernels/groupNorm';
import { siluReference } from '../../src/kernels/silu/reference';
import type { BenchModel } from '../weights';
import { uploadAll } from './weights';

export interface StockDecoder {
  /** latents [1, T', H', W', D] -> frames [1, T, H, W, 3]. */
  readonly decode: (latents: tf.Tensor5D) => tf.Tensor5D;
  readonly dispose: () => void;
}

export function stockDecoder(model: BenchModel): StockDecoder {
  const { norm, decoder } = model.config.tokenizer;
  const { weights, weight } = uploadAll(model, 'tokenizer.');
  const conv = (x: tf.Tensor5D, name: string): tf.Tensor5D =>
    conv3dReference(x, weight(`${name}.weight`), weight(`${name}.bias`));
  const normSilu = (x: tf.Tensor5D, name: string): tf.Tensor5D => {
    if (norm === 'none') return siluReference(x) as tf.Tensor5D;
    const [scale, bias] = [weight<tf.Tensor1D>(`${name}.scale`), weight<tf.Tensor1D>(`${name}.bias`)];
    if (norm === 'affine') return channelAffineReference(x, scale, bias, 'silu') as tf.Tensor5D;
    return siluReference(groupNorm(x, scale, bias)) as tf.Tensor5D;
  };
  const up = tf.getBackend() === 'wasm' ? dilatedUpConvolution : convTranspose3dReference;

  const layers: ((x: tf.Tensor5D) => tf.Tensor5D)[] = [
    (x) => conv(x, 'postQuantization'),
    (x) => normSilu(x, 'decoder.inputNorm'),
  ];
  decoder.forEach(({ stride, residualBlocks }, i) => {
    const stage = `decoder.stages.${i}`;
    layers.push((x) => up(x, weight(`${stage}.up.weight`), weight(`${stage}.up.bias`), stride));
    for (let j = 0; j < residualBlocks; j++) {
      const name = `${stage}.blocks.${j}`;
      layers.push((x) => {
        const first = conv(normSilu(x, `${name}.norm1`), `${name}.conv1`);
        return tf.add(conv(normSilu(first, `${name}.norm2`), `${name}.conv2`), x) as tf.Tensor5D;
      });
    }
  });
  layers.push((x) => conv(x, 'decoder.output'));

  return {
    decode: (latents) =>
      layers.reduce((x, layer) => {
        const y = tf.tidy(() => layer(x));
        if (x !== latents) x.dispose();
        return y;
      }, latents),
    dispose: () => tf.dispose(weights),
  };
}

/** As `convTranspose3dReference`: zeros between the padded inputs, then a convolution with the kernel turned around. */
function dilatedUpConvolution(
  x: tf.Tensor5D,
  weight: tf.Tensor5D,
  bias: tf.Tensor1D,
  stride: Extent3,
): tf.Tensor5D {
  return tf.tidy(() => {
    const [kt, kh, kw, , outputs] = weight.shape;
    const padded = replicatePad(x, samePadding3([kt, kh, kw], stride));
    const dilated = ([1, 2, 3] as const).reduce<tf.Tensor>(
      (y, axis) => dilate(y, axis, stride[axis - 1] ?? 1),
      padded,
    );
    const turned = tf.reverse(weight, [0, 1, 2]);
    const y = tf.conv3d(dilated as tf.Tensor5D, turned, 1, 'valid');
    return tf.add(y, tf.reshape(bias, [1, 1, 1, 1, outputs])) as tf.Tensor5D;
  });
}

/** Length n along `axis` becomes (n - 1)·stride + 1. */
function dilate(x: tf.Tensor, axis: number, stride: number): tf.Tensor {
  if (stride === 1) return x;
  const before = x.shape.slice(0, axis).reduce((a, b) => a * b, 1);
  const length = x.shape[axis] ?? 1;
  const after = x.size / before / length;
  const rows = tf.reshape(x, [before, length, 1, after]);
  const spread = tf.concat([rows, tf.zeros([before, length, stride - 1, after])], 2);
  const kept = tf.slice(
    tf.reshape(spread, [before, length * stride, after]),
    [0, 0, 0],
    [-1, (length - 1) * stride + 1, -1],
  );
  return tf.reshape(
    kept,
    x.shape.map((n, i) => (i === axis ? (length - 1) * stride + 1 : n)),
  );
}
