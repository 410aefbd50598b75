/**
 * What the parts of the page's store share: the browser as they see it, the store, and how an error becomes a
 * sentence. No behaviour of its own.
 */
import type { StoreApi } from 'zustand/vanilla';
import type { EngineClient, LibraryClient } from '../worker/client';
import type { Held } from './held';
import type { Failure, PageState } from './state';

export type Engine = Pick<EngineClient, 'prepare' | 'load' | 'generate' | 'compare' | 'encode' | 'formats'>;
export type Library = Pick<
  LibraryClient,
  'inspect' | 'convert' | 'models' | 'describe' | 'removeModel' | 'modelReport'
>;

export interface PageDeps {
  readonly engine: Engine;
  /** Checkpoints, and the models that are at hand. */
  readonly library: Library;
  /** `location.search`, and how to replace it. */
  readonly search: () => string;
  readonly replaceSearch: (search: string) => void;
  readonly saveFile: (file: Blob, name: string) => void;
  /** An unsigned 32-bit number that no one can foresee. */
  readonly drawSeed: () => number;
  /** The visitor asks for less motion: clips wait for Play. */
  readonly calm: boolean;
}

/** What the parts of the page share. */
export interface PageContext {
  readonly deps: PageDeps;
  readonly store: StoreApi<PageState>;
  readonly held: Held;
}

/** The sentence of an error and whether trying again can help. An error of unknown kind is worth one more try. */
export function failureOf(during: Failure['during'], error: unknown): Failure {
  const retry = error instanceof Error && 'retry' in error ? error.retry === true : true;
  return { during, message: error instanceof Error ? error.message : String(error), retry };
}
