/**
 * How much a clip computes, from a model's manifest alone: what the speed of a model that was not tried yet is told by.
 * Products only; how fast a device does them is measured by whoever asks.
 */
import { defaultGenerationOptions, type GenerationOptions, modelFacts } from '../config/generation';
import { downsampleOf, type Extent3, lengthsOf } from '../config/model';
import { toldTokens } from '../config/scene';
import { decoderFlops, headFlops, transformerFlops } from '../model/flops';
import { passSizes } from '../sampling/generate';
import type { PlannedModel } from './memory';
import { isGuided } from './predict';

/**
 * Floating-point operations of a clip that the model makes in one piece.
 * @returns null for a longer one, whose windows are not counted
 */
export function clipFlops({ model, tensors }: PlannedModel, options: GenerationOptions): number | null {
  const { framesPerLatent, ownFrames } = lengthsOf(model);
  if (options.frames > ownFrames) return null;
  const [, rows, columns] = model.grid;
  const latentFrames = options.frames / framesPerLatent;
  const grid: Extent3 = [latentFrames, rows, columns];
  const told = toldTokens(model.transformer.traits ?? []);
  let flops = 0;
  const passes = passSizes({ options, grid });
  for (const { contexts, targets, masked } of passes) {
    flops += transformerFlops(model.transformer, told + contexts, targets, masked);
  }
  if (passes.some(({ guidance, contexts }) => isGuided(guidance, contexts))) {
    const tokens = latentFrames * rows * columns;
    flops += transformerFlops(model.transformer, told, tokens) - headFlops(model.transformer, tokens);
  }
  const shapes = new Map(tensors.map(({ name, shape }) => [name, shape]));
  const shapeOf = (name: string): readonly number[] => shapes.get(name) ?? [];
  return flops + decoderFlops(model.tokenizer, shapeOf, grid);
}

/** Operations for a second of video: of the model's own length, with its own settings. */
export function flopsPerSecond(planned: PlannedModel): number {
  const { grid, tokenizer, frameRate } = planned.model;
  const frames = grid[0] * downsampleOf(tokenizer)[0];
  const options = { ...defaultGenerationOptions(modelFacts(planned.model)), frames };
  return ((clipFlops(planned, options) ?? 0) * frameRate) / frames;
}
