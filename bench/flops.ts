/** Floating-point operations of a forward pass and of a decode: a multiply-add is two. Products only, as is usual. */
import type { Extent3, TransformerConfig } from '../src/config/model';
import type { DecoderParameters } from '../src/model/decoder';

/** One prediction of `targets` tokens from `contexts` known ones. */
export function transformerFlops(config: TransformerConfig, contexts: number, targets: number): number {
  const { width: d, latentTokens: latents, vocabulary, modes } = config;
  // Queries and keys of each mode; a layer costs 2d²(10q + 2k) + 4qkd.
  const sizes = {
    latent_enc: [latents, contexts],
    latent_self: [latents, latents],
    latent_dec: [targets, latents],
    lt2l: [latents, latents + targets],
    maskgit: [contexts + targets, contexts + targets],
  } as const;
  const blocks = modes.reduce((sum, mode) => {
    const [q, k] = sizes[mode];
    return sum + 2 * d * d * (10 * q + 2 * k) + 4 * q * k * d;
  }, 0);
  return blocks + 2 * targets * d * vocabulary;
}

/** A decode of a token grid. Up-convolutions count the taps that are really multiplied. */
export function decoderFlops(parameters: DecoderParameters, grid: Extent3): number {
  const { postQuantization, stages, output } = parameters;
  type Layer = { kernel: Extent3; inputs: number; outputs: number };
  const conv = ({ kernel, inputs, outputs }: Layer, positions: number): number =>
    2 * positions * volume(kernel) * inputs * outputs;
  let extent = grid;
  let flops = conv(postQuantization, volume(extent));
  for (const { up, blocks } of stages) {
    extent = [extent[0] * up.stride[0], extent[1] * up.stride[1], extent[2] * up.stride[2]];
    flops += conv(up, volume(extent)) / volume(up.stride);
    for (const { conv1, conv2 } of blocks) flops += conv(conv1, volume(extent)) + conv(conv2, volume(extent));
  }
  return flops + conv(output, volume(extent));
}

const volume = ([t, h, w]: Extent3): number => t * h * w;
