/** An engine of the tiny model, for tests. */
import * as tf from '@tensorflow/tfjs-core';
import { parseManifest, StoredWeights } from '../../loader';
import { createEngine, type Engine } from '../engine';
import { packTinyModel } from './tinyModel';

/** `switchTo` makes the backend current that the engine's weights go to; packing the model leaves cpu behind. */
export async function createTinyEngine(
  switchTo: () => Promise<unknown> = () => tf.setBackend('cpu'),
): Promise<Engine> {
  const packed = await packTinyModel();
  await switchTo();
  const manifest = await parseManifest(packed.manifest, 'test');
  const shards = [...packed.files.values()].map((bytes) => bytes.buffer);
  return createEngine(manifest, new StoredWeights(manifest, shards).read);
}
