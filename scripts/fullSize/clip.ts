/** A whole generation of the full-size model on wasm, from the seed to pixels, against its memory plan. */
import * as tf from '@tensorflow/tfjs-core';
import type { GenerationOptions } from '../../src/config/generation';
import { lengthsOf } from '../../src/config/model';
import { createEngine } from '../../src/pipeline/engine';
import { generate } from '../../src/pipeline/generate';
import { loadConverted, measured, planText } from './model';

export interface ClipOptions {
  readonly frames: number;
  readonly steps: number;
}

/** @param model folder of a converted model */
export async function generateClip(model: string, { frames, steps }: ClipOptions): Promise<void> {
  const weights = await measured('weights read and verified', () => loadConverted(model));
  console.log(planText(weights, frames / lengthsOf(weights.manifest.model).framesPerLatent));
  const engine = await measured('engine built and warmed up', () => createEngine(weights.manifest, weights));
  weights.release();
  const options: GenerationOptions = {
    ...{ seed: 1, frames, steps, bootstrap: 0, temperature: 1, choiceTemperature: 4, topK: 32, topP: 1 },
    schedule: 'cosine',
    order: 'confidence',
    targets: 0,
    topPFrom: 0,
    guidance: 0,
    guidanceFrom: 0,
    scene: '',
    ...{ revisePasses: 0, reviseSteps: 1, reviseTemperature: 0.7 },
  };
  let most = 0;
  const clip = await measured(`${frames} frames in ${steps} steps`, async () => {
    for await (const event of generate(engine, options)) {
      most = Math.max(most, tf.memory().numBytes);
      if (event.type === 'step')
        console.log(`  step ${event.summary.step}: ${(event.summary.milliseconds / 1000).toFixed(1)} s`);
      else if (event.type === 'decodeProgress') console.log(`  decoded ${event.done} of ${event.total}`);
      else if (event.type === 'clip') return event.clip;
    }
    throw new Error('The generation ended without a clip.');
  });
  const values = new Set(clip.pixels);
  console.log(
    `clip: ${clip.frames} × ${clip.height} × ${clip.width}, ${values.size} different values; tensors between the steps ${(most / 1e6).toFixed(0)} MB at most`,
  );
  engine.dispose();
  if (values.size < 16) throw new Error('The clip shows nothing.');
}
