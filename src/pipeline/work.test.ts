// What a clip computes, against what the sampler really asks for.
import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { defaultGenerationOptions, type GenerationOptions, modelFacts } from '../config/generation';
import type { Extent3 } from '../config/model';
import { parseManifest } from '../loader/manifest';
import { decoderFlops, transformerFlops } from '../model/flops';
import { sampleTokens } from '../sampling/generate';
import { clipFlops, flopsPerSecond } from './work';

const FOLDER = new URL('../../weights/sky-64/', import.meta.url);
const manifest = await parseManifest(readFileSync(new URL('manifest.json', FOLDER), 'utf8'), 'sky-64');
const { transformer, tokenizer } = manifest.model;
const defaults = defaultGenerationOptions(modelFacts(manifest.model));

/** Operations of the passes that a run makes, with a predictor that draws nothing. */
async function sampled(options: GenerationOptions, grid: Extent3): Promise<number> {
  let flops = 0;
  let guiding = 0;
  const predict: Parameters<typeof sampleTokens>[0]['predict'] = async (request) => {
    const { context, target, masked, filter } = request;
    flops += transformerFlops(transformer, context.length, target.length, masked?.length);
    if (filter.guidance && context.length > 0) {
      const all = grid[0] * grid[1] * grid[2];
      guiding = transformerFlops(transformer, 0, all) - 2 * all * transformer.width * transformer.vocabulary;
    }
    return { samples: new Int32Array(target.length), scores: new Float32Array(target.length).fill(0.5) };
  };
  for await (const _ of sampleTokens({ grid, options, predict }));
  return flops + guiding;
}

it.each([
  { steps: 8 },
  { steps: 5, revisePasses: 2, reviseSteps: 4 },
  { steps: 4, bootstrap: 3 },
  { steps: 8, order: 'spread' as const, schedule: 'quartic' as const },
  { steps: 8, order: 'spread' as const, schedule: 'quartic' as const, targets: 64 },
  { steps: 8, guidance: 0.5, guidanceFrom: 0.5 },
  { steps: 2, guidance: 0.5, guidanceFrom: 1, revisePasses: 1 },
])('counts what a run of %o asks for', async (given) => {
  const options = { ...defaults, frames: 16, ...given };
  const grid: Extent3 = [2, 16, 16];
  const shapeOf = (name: string) => manifest.tensors.find((tensor) => tensor.name === name)?.shape ?? [];
  const expected = (await sampled(options, grid)) + decoderFlops(tokenizer, shapeOf, grid);
  const got = clipFlops(manifest, options);
  expect(Math.abs((got ?? 0) / expected - 1)).toBeLessThan(0.02);
});

it('says nothing of a clip that is continued', () => {
  expect(clipFlops(manifest, { ...defaults, frames: 128 })).toBeNull();
});

it('spreads a clip of the own length over its seconds', () => {
  const clip = clipFlops(manifest, { ...defaults, frames: 64 });
  expect(flopsPerSecond(manifest)).toBeCloseTo(((clip ?? 0) * 16) / 64, -3);
});
