/** An engine of the tiny model on the current backend, for tests. */
import { parseManifest, StoredWeights } from '../../loader';
import { createEngine, type Engine } from '../engine';
import { packTinyModel } from './tinyModel';

export async function createTinyEngine(): Promise<Engine> {
  const packed = packTinyModel();
  const manifest = await parseManifest(packed.manifest, 'test');
  const shards = [...packed.files.values()].map((bytes) => bytes.buffer);
  return createEngine(manifest, new StoredWeights(manifest, shards));
}
