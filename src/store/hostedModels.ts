/**
 * Models of other sites, of which the page first fetches the manifest alone, so that size, length and licence are known
 * before anything large is. Part of the store.
 */
import type { StoreApi } from 'zustand/vanilla';
import { KEPT_SCHEME } from '../config/keptModel';
import type { ModelEntry } from '../worker/protocol';
import { readAddress } from './address';
import type { PageDeps } from './context';
import { isOwn } from './ownModels';
import type { PageState } from './state';

/** A model that is known by the address of its manifest. */
export interface HostedModel {
  /** What `?model=` takes. */
  readonly source: string;
  /** Null until its manifest is there. */
  readonly entry: ModelEntry | null;
  /** Why it is not there; empty where it is, or is on its way. */
  readonly problem: string;
}

/** Whether an address names neither one of the page's own models nor one of this machine. */
function isHosted(source: string): boolean {
  return !isOwn(source) && !source.startsWith(KEPT_SCHEME);
}

export function createHosted({ library }: Pick<PageDeps, 'library'>, store: StoreApi<PageState>) {
  const put = (model: HostedModel): void =>
    store.setState(({ models }) => {
      const known = models.hosted.some(({ source }) => source === model.source);
      const hosted = known
        ? models.hosted.map((other) => (other.source === model.source ? model : other))
        : [...models.hosted, model];
      return { models: { ...models, hosted } };
    });

  /** Fetches the manifest, unless it is there or `source` is not a hosted model's. */
  const describe = async (source: string): Promise<void> => {
    const known = store.getState().models.hosted.find((model) => model.source === source);
    if (!isHosted(source) || known?.problem === '') return;
    put({ source, entry: null, problem: '' });
    try {
      put({ source, entry: await library.describe(source), problem: '' });
    } catch (error) {
      put({ source, entry: null, problem: error instanceof Error ? error.message : String(error) });
    }
  };

  return {
    describe,
    /** @param typed the manifest's address, or its folder's with a slash at the end */
    lookUp: async (typed: string): Promise<void> => {
      const given = typed.trim().replace(/\/$/, '/manifest.json');
      const { source, problems } = readAddress(`?${new URLSearchParams({ model: given })}`);
      const usable = problems.length === 0 && source !== null && isHosted(source);
      const problem = `“${given}” is not the address of a manifest, such as https://example.org/sky/manifest.json.`;
      store.setState(({ models }) => ({ models: { ...models, addressProblem: usable ? '' : problem } }));
      if (usable) await describe(source);
    },
  };
}
