/** A forward pass over 1,024 tokens on wasm, and the same in PyTorch (weights/recipe/official.py). */
import { spawnSync } from 'node:child_process';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import { readTransformer, runTransformer } from '../../src/model/transformer';
import { loadConverted, measured, planText } from './model';

const WEIGHTS = join(import.meta.dirname, '../../weights');
const POSITIONS = 1024;

/** @param model folder of the checkpoint's int8 conversion. @returns an exit code */
export async function compareForward(checkpoint: string, model: string, python: string): Promise<number> {
  const logits = `${model}.logits`;
  try {
    writeFileSync(logits, await forward(model));
    // A failure says what is missing.
    const compared = spawnSync(python, ['-m', 'recipe.official', checkpoint, model, logits], {
      cwd: WEIGHTS,
      stdio: 'inherit',
    });
    if (compared.error) throw new Error(`--python ${python} cannot be started: ${compared.error.message}`);
    return compared.status ?? 1;
  } finally {
    rmSync(logits, { force: true });
  }
}

/** Logits [512, codes] of half of the positions, given the other half; recipe/official.py makes the same ones. */
async function forward(model: string): Promise<Float32Array> {
  const weights = await measured('weights read and verified', () => loadConverted(model));
  const { transformer, grid } = weights.manifest.model;
  console.log(planText(weights, POSITIONS / (grid[1] * grid[2])));
  const positions = Array.from({ length: POSITIONS }, (_, i) => i);
  const order = Int32Array.from(positions, (i) => (i * 389 + 5) % POSITIONS);
  const sets = {
    tokens: Int32Array.from(positions, (i) => (i * 7919 + 13) % transformer.vocabulary),
    context: order.slice(0, POSITIONS / 2),
    target: order.slice(POSITIONS / 2),
  };
  const parameters = readTransformer(transformer, weights);
  weights.release();
  const logits = await measured(`forward pass over ${POSITIONS} tokens`, async () => {
    const result = runTransformer(parameters, sets);
    return (await result.data()) as Float32Array;
  });
  tf.dispose(parameters as unknown as tf.TensorContainer);
  return logits;
}
