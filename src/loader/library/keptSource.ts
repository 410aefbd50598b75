/**
 * A kept model in the place of a server and its cache: `loadWeights` reads and verifies it as it does any other, and no
 * second copy is made.
 */
import { KEPT_SCHEME } from '../../config/keptModel';
import type { WeightCache } from '../cache';
import { LoadError } from '../errors';
import type { LoadWeightsOptions } from '../index';
import type { Manifest } from '../manifest';
import type { Library } from './library';

/** Address and options of `loadWeights` for the model under this hash. @throws LoadError `not-kept` */
export async function keptSource(
  library: Library,
  hash: string,
): Promise<{ url: string } & Required<Pick<LoadWeightsOptions, 'fetch' | 'cache'>>> {
  const { manifest, text } = await library.read(hash);
  const files = new Map(manifest.shards.map((shard) => [shard.sha256, shard.file]));
  const cache: WeightCache = {
    shard: async (sha) => library.shard(hash, files.get(sha) ?? ''),
    manifest: async () => text,
    keepShard: async () => false,
    dropShard: async () => undefined,
    keepManifest: async () => undefined,
    evict: async () => undefined,
  };
  // Asked for the manifest, whose text the cache has, and for shards that are missing or damaged.
  const fetch = () => Promise.reject(damaged(manifest));
  return { url: `${KEPT_SCHEME}//${hash}/manifest.json`, fetch, cache };
}

function damaged({ name }: Manifest): LoadError {
  const message = `The kept copy of ${name} is damaged or incomplete. Remove it under Models and convert its checkpoint again.`;
  return new LoadError('shard-corrupt', message, false);
}
