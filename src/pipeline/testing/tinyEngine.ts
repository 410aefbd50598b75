/** An engine of the tiny model on the current backend, for tests. */

import type { ModelConfig } from '../../config/model';
import { parseManifest, StoredWeights } from '../../loader';
import { createEngine, type Engine } from '../engine';
import { packTinyModel, TINY_MODEL } from './tinyModel';

export async function createTinyEngine(config: ModelConfig = TINY_MODEL): Promise<Engine> {
  const packed = packTinyModel(config);
  const manifest = await parseManifest(packed.manifest, 'test');
  const shards = [...packed.files.values()].map((bytes) => bytes.buffer);
  return createEngine(manifest, new StoredWeights(manifest, shards));
}
