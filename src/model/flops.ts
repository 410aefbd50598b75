/** Floating-point operations of a forward pass and of a decode: a multiply-add is two. Products only, as is usual. */
import type { Extent3, TokenizerConfig, TransformerConfig } from '../config/model';
import { lastReaderOfTargets } from './block';

/** Queries q and keys k of one layer of width d: 2d²(10q + 2k) + 4qkd. */
function layerFlops(width: number, queries: number, keys: number): number {
  return 2 * width * width * (10 * queries + 2 * keys) + 4 * queries * keys * width;
}

/** One prediction of `targets` tokens from `contexts` known ones, with `masked` others that are not asked for. */
export function transformerFlops(
  config: TransformerConfig,
  contexts: number,
  targets: number,
  masked = 0,
): number {
  const { width, latentTokens: latents, modes } = config;
  const lastReader = lastReaderOfTargets(modes);
  const blocks = modes.map((mode, i) => {
    const hidden = targets + (i <= lastReader ? masked : 0);
    const sizes = {
      latent_enc: [latents, contexts],
      latent_self: [latents, latents],
      latent_dec: [hidden, latents],
      lt2l: [latents, latents + hidden],
      maskgit: [contexts + hidden, contexts + hidden],
    } as const;
    return layerFlops(width, ...sizes[mode]);
  });
  return blocks.reduce((sum, block) => sum + block, 0) + headFlops(config, targets);
}

/** Of them, those that turn hidden states of targets into logits. */
export function headFlops({ width, vocabulary }: TransformerConfig, targets: number): number {
  return 2 * targets * width * vocabulary;
}

/** All steps of an autoregressive transformer with a cache: step i has one query and i keys, one of them new. */
export function autoregressiveFlops(config: TransformerConfig, tokens: number): number {
  const { width, modes } = config;
  const keys = (tokens * (tokens + 1)) / 2; // 1 + 2 + … + N
  return modes.length * (2 * width * width * 12 * tokens + 4 * keys * width) + headFlops(config, tokens);
}

/**
 * A decode of a token grid. Up-convolutions count the taps that are really multiplied.
 * @param shapeOf of a tensor of the manifest; kernels are [kt, kh, kw, I, O]
 */
export function decoderFlops(
  tokenizer: TokenizerConfig,
  shapeOf: (name: string) => readonly number[],
  grid: Extent3,
): number {
  /** Each weight of a kernel is used once a position. */
  const conv = (name: string, positions: number): number =>
    2 * positions * shapeOf(`tokenizer.${name}.weight`).reduce((product, extent) => product * extent, 1);
  let extent = grid;
  let flops = conv('postQuantization', volume(extent));
  tokenizer.decoder.forEach(({ stride, residualBlocks }, i) => {
    const stage = `decoder.stages.${i}`;
    extent = [extent[0] * stride[0], extent[1] * stride[1], extent[2] * stride[2]];
    flops += conv(`${stage}.up`, volume(extent)) / volume(stride);
    for (let j = 0; j < residualBlocks; j++) {
      for (const part of ['conv1', 'conv2']) flops += conv(`${stage}.blocks.${j}.${part}`, volume(extent));
    }
  });
  return flops + conv('decoder.output', volume(extent));
}

const volume = ([t, h, w]: Extent3): number => t * h * w;
