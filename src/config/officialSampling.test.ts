import { describe, expect, it } from 'vitest';
import { defaultGenerationOptions, limitsFor, modelFacts, parseGenerationOptions } from './generation';
import type { ModelConfig } from './model';
import { presetOf, presetsFor, SAMPLING_RECIPES, samplingOf } from './officialSampling';

function official(latentFrames: number, width = 1024): ModelConfig {
  return {
    transformer: {
      width,
      heads: 16,
      latentTokens: 256,
      vocabulary: 16_384,
      positions: latentFrames * 256,
      modes: Array.from({ length: 24 }, () => 'latent_self' as const),
    },
    tokenizer: {
      codes: 16_384,
      codeWidth: 256,
      norm: 'affine',
      decoder: [{ channels: 32, stride: [4, 8, 8], residualBlocks: 1 }],
    },
    grid: [latentFrames, 16, 16],
    frameRate: 16,
    sampling: {},
  };
}

describe('presetsFor', () => {
  it('knows the official models by their sizes, and no others', () => {
    expect(presetsFor(official(4)).map(({ recipe }) => recipe)).toEqual(['sky-16', 'taichi-16', 'ucf-16']);
    expect(presetsFor(official(32)).map(({ recipe }) => recipe)).toEqual([
      'sky-128',
      'taichi-128',
      'ucf-128',
    ]);
    expect(presetsFor(official(8))).toEqual([]);
    expect(presetsFor(official(32, 512))).toEqual([]);
  });

  it.each(SAMPLING_RECIPES)('%s is within the limits of its model and is recognised again', (recipe) => {
    const config = official(recipe.endsWith('-16') ? 4 : 32);
    const facts = modelFacts(config);
    const { options, problems } = parseGenerationOptions(
      samplingOf(recipe),
      facts,
      defaultGenerationOptions(facts),
    );
    expect(problems).toEqual([]);
    expect(presetOf(options, presetsFor(config))?.recipe).toBe(recipe);
  });

  it('leaves other models at 64 steps', () => {
    expect(limitsFor(modelFacts(official(8))).steps.max).toBe(64);
  });
});
