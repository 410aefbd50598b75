import * as tf from '@tensorflow/tfjs-core';
import { expect, it } from 'vitest';
import { UsageError } from '../../scripts/commandLine';
import { onBackend } from '../../src/kernels/testing/parity';
import { parseManifest, StoredWeights } from '../../src/loader';
import { packModel } from '../../src/loader/testing/pack';
import { readTransformer } from '../../src/model/transformer';
import { TINY_MODEL, tinyTensors } from '../../src/pipeline/testing/tinyModel';
import { follow, summaryOf } from './follow';
import { parseCommandLine } from './options';

const OPTIONS = {
  seed: 3,
  frames: 32,
  steps: 4,
  bootstrap: 0,
  temperature: 1,
  choiceTemperature: 4,
  topK: 0,
  topP: 1,
  topPFrom: 0,
  guidance: 0.5,
  guidanceFrom: 0,
  schedule: 'cosine',
  order: 'confidence',
  targets: 0,
  scene: '',
  revisePasses: 1,
  reviseSteps: 2,
  reviseTemperature: 0.7,
} as const;

async function transformerAs(dtype: 'float32' | 'int8' | 'int4') {
  const tensors = tinyTensors().map((tensor) => ({
    ...tensor,
    dtype: tensor.dtype === 'int8' ? dtype : ('float32' as const),
  }));
  const { manifest: text, files } = packModel(tensors, { name: 'tiny', model: TINY_MODEL });
  const manifest = await parseManifest(text, 'tiny');
  const weights = new StoredWeights(
    manifest,
    [...files.values()].map((bytes) => bytes.buffer),
  );
  return readTransformer(TINY_MODEL.transformer, weights);
}

onBackend('cpu', 'following a generation', () => {
  it('finds no difference in equal weights, little in int8, and more in int4', async () => {
    const [reference, same, int8, int4] = await Promise.all(
      (['float32', 'float32', 'int8', 'int4'] as const).map(transformerAs),
    );
    if (!reference || !same || !int8 || !int4) throw new Error('no transformers');
    const followers = [same, int8, int4].map((transformer, i) => ({ name: String(i), transformer }));
    const before = tf.memory().numTensors;
    const run = { options: OPTIONS, grid: TINY_MODEL.grid };
    const { differences, tokens } = await follow(reference, followers, run);
    expect(tf.memory().numTensors).toBe(before);
    expect(tokens).toHaveLength(128);
    const [equal, bytes, nibbles] = differences.map(summaryOf);
    if (!equal || !bytes || !nibbles) throw new Error('no summaries');
    expect(equal).toMatchObject({ equal: 1, relativeError: 0, largestError: 0, nearTies: null });
    expect(equal.targets).toBe(differences[0]?.reduce((sum, { targets }) => sum + targets, 0));
    expect(differences[0]).toHaveLength(6);
    expect(bytes.relativeError).toBeGreaterThan(1e-4);
    expect(nibbles.relativeError).toBeGreaterThan(4 * bytes.relativeError);
    expect(nibbles.largestError).toBeGreaterThan(bytes.largestError);
    expect(nibbles.equal).toBeLessThan(bytes.equal);
    expect(nibbles.nearTies).toBeGreaterThan(0.5);
    for (const transformer of [reference, same, int8, int4]) {
      tf.dispose(transformer as unknown as tf.TensorContainer);
    }
  });
});

it('the command line takes folders and settings, and refuses what it cannot read', () => {
  const line = parseCommandLine(['a', 'b', 'c', '--steps', '8', '--free']);
  expect(line).toMatchObject({ settings: { seed: 1, steps: 8 }, free: true, only: [] });
  expect(line === 'help' ? 0 : line.models).toHaveLength(3);
  expect(parseCommandLine(['a', 'b', '--only', 'head', '--only', 'key'])).toMatchObject({
    only: [/head/, /key/],
  });
  expect(() => parseCommandLine(['a', 'b', '--only', '('])).toThrow('--only must be a regular expression');
  expect(() => parseCommandLine(['a'])).toThrow(UsageError);
  expect(() => parseCommandLine(['a', 'b', '--steps', 'many'])).toThrow(
    '--steps must be a whole number from 1 up, got many',
  );
});
