/** The model of a bench: weights/sky-64 where it is there, else random weights of the same shape of model. */
import { existsSync, readFileSync } from 'node:fs';
import type { Extent3, ModelConfig } from '../src/config/model';
import { parseManifest, StoredWeights } from '../src/loader';
import { type KernelExtents, randomReader } from '../src/model/initialization';
import type { WeightReader } from '../src/model/parameters';

export interface BenchModel {
  readonly name: string;
  readonly config: ModelConfig;
  /** A reader for one reading of all weights. */
  readonly reader: () => WeightReader;
}

const FOLDER = new URL('../weights/sky-64/', import.meta.url);

export async function benchModel(): Promise<BenchModel> {
  const manifestFile = new URL('manifest.json', FOLDER);
  if (!existsSync(manifestFile)) {
    const name = 'random weights shaped as sky-64';
    return { name, config: STAND_IN, reader: () => randomReader(STAND_IN, 1, STAND_IN_KERNELS) };
  }
  const manifest = await parseManifest(readFileSync(manifestFile, 'utf8'), manifestFile.href);
  const shard = (file: string): ArrayBuffer => new Uint8Array(readFileSync(new URL(file, FOLDER))).buffer;
  return {
    name: manifest.name,
    config: manifest.model,
    reader: () =>
      new StoredWeights(
        manifest,
        manifest.shards.map(({ file }) => shard(file)),
      ),
  };
}

const STAND_IN: ModelConfig = {
  transformer: {
    width: 256,
    heads: 8,
    latentTokens: 128,
    vocabulary: 1024,
    positions: 2048,
    modes: [
      'latent_enc',
      'latent_self',
      'latent_enc',
      'latent_self',
      'latent_enc',
      'latent_self',
      'latent_enc',
      'latent_dec',
      'lt2l',
      'latent_dec',
      'lt2l',
      'latent_dec',
    ],
  },
  tokenizer: {
    codes: 1024,
    codeWidth: 16,
    norm: 'none',
    decoder: [
      { channels: 112, stride: [2, 1, 1], residualBlocks: 2 },
      { channels: 64, stride: [2, 2, 2], residualBlocks: 2 },
      { channels: 24, stride: [2, 2, 2], residualBlocks: 1 },
    ],
  },
  grid: [8, 16, 16],
  frameRate: 16,
  sampling: {},
};

const FLAT: Extent3 = [1, 3, 3];

const STAND_IN_KERNELS: KernelExtents = {
  decoderBlocks: (stage) => (stage === 2 ? FLAT : [3, 3, 3]),
  ends: FLAT,
};
