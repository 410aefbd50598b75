/**
 * React's adapter to the page: the store, its actions and the playhead, handed down through one context.
 */
import { createContext, type ReactNode, use, useMemo } from 'react';
import { useStore } from 'zustand';
import type { Page, PageActions } from '../store/page';
import type { PageState } from '../store/state';
import { createPlayhead, type Playhead } from './playhead';

interface Shared {
  readonly page: Page;
  readonly playhead: Playhead;
}

const SharedContext = createContext<Shared | null>(null);

export function PageProvider({ page, children }: { page: Page; children: ReactNode }) {
  const shared = useMemo(() => ({ page, playhead: createPlayhead() }), [page]);
  return <SharedContext value={shared}>{children}</SharedContext>;
}

function useShared(): Shared {
  const shared = use(SharedContext);
  if (!shared) throw new Error('A component of the page is used outside <PageProvider>.');
  return shared;
}

export function usePage(): Page {
  return useShared().page;
}

export function useActions(): PageActions {
  return useShared().page.actions;
}

export function usePlayhead(): Playhead {
  return useShared().playhead;
}

/** A part of the state; the component renders again when that part changes. */
export function usePageState<T>(select: (state: PageState) => T): T {
  return useStore(useShared().page.store, select);
}
