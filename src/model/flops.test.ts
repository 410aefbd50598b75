import { describe, expect, it } from 'vitest';
import { OFFICIAL } from '../../bench/sizes';
import { randomModel } from '../../bench/weights';
import type { TransformerConfig } from '../config/model';
import { denseOf } from '../config/model';
import { autoregressiveFlops, decoderFlops, transformerFlops } from './flops';

describe('operations of a forward pass of the official model at half context', () => {
  it.each([
    [1024, 0.235],
    [8192, 1.054],
  ])('%d tokens: %d TFLOP', (tokens, tera) => {
    expect(transformerFlops(OFFICIAL.transformer, tokens / 2, tokens / 2) / 1e12).toBeCloseTo(tera, 3);
  });

  it.each([
    [1024, 0.76],
    [8192, 11.8],
  ])('dense, %d tokens, with a head over all of them: %d TFLOP', (tokens, tera) => {
    const { width, vocabulary } = OFFICIAL.transformer;
    const headOfContext = tokens * width * vocabulary; // 2 · N/2 · C · V
    const got =
      (transformerFlops(denseOf(OFFICIAL.transformer), tokens / 2, tokens / 2) + headOfContext) / 1e12;
    expect(Math.abs(got / tera - 1)).toBeLessThan(0.01);
  });
});

it('masked tokens that are not asked for cost what a target does, but the last block and the head', () => {
  const config = OFFICIAL.transformer;
  const { width, vocabulary, latentTokens } = config;
  const saved = 2 * width * width * 10 + 4 * latentTokens * width + 2 * width * vocabulary; // a token
  expect(config.modes.at(-1)).toBe('latent_dec');
  expect(transformerFlops(config, 24, 1000) - transformerFlops(config, 24, 100, 900)).toBe(900 * saved);
});

it('an autoregressive clip costs what its steps cost one by one', () => {
  const config: TransformerConfig = {
    ...OFFICIAL.transformer,
    width: 8,
    vocabulary: 16,
    modes: ['latent_self', 'latent_self'],
  };
  let sum = 0;
  for (let keys = 1; keys <= 5; keys++) {
    sum += 2 * (2 * 64 * 12 + 4 * keys * 8) + 2 * 8 * 16; // q, k, v, projection, MLP of one token; scores and mix
  }
  expect(autoregressiveFlops(config, 5)).toBe(sum);
});

it('a decode counts the taps of an up-convolution that are multiplied', () => {
  const model = randomModel('one stage', {
    transformer: {
      ...OFFICIAL.transformer,
      width: 8,
      heads: 2,
      vocabulary: 16,
      positions: 8,
      modes: ['latent_dec'],
    },
    tokenizer: {
      codes: 16,
      codeWidth: 4,
      norm: 'none',
      decoder: [{ channels: 6, stride: [2, 2, 2], residualBlocks: 1 }],
    },
    grid: [2, 2, 2],
    frameRate: 8,
    sampling: {},
  });
  // 8 positions become 64; 4³ taps of stride 2³ are 8 an output.
  const expected = 2 * 8 * (4 * 6) + 2 * 64 * 8 * 36 + 2 * (2 * 64 * 27 * 36) + 2 * 64 * 27 * 18;
  expect(decoderFlops(model.config.tokenizer, (name) => model.host(name).shape, [2, 2, 2])).toBe(expected);
});
