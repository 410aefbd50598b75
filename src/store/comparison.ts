/**
 * The comparison of the families, one run at a time: from Run to the summary, a failure, or Stop. Part of the store; no
 * React. What comes after Stop is dropped.
 */
import { type ComparisonEvent, DEFAULT_COMPARISON } from '../config/comparison';
import { failureOf, type PageContext } from './context';
import type { ComparisonState } from './state';

export interface Comparison {
  compare(): Promise<void>;
  stopComparing(): void;
}

export function createComparison({ deps, store }: PageContext): Comparison {
  let current: AbortController | null = null;

  const update = (change: Partial<ComparisonState>): void => {
    store.setState(({ comparison }) => ({ comparison: { ...comparison, ...change } }));
  };

  const compare = async () => {
    if (store.getState().weights !== 'ready' || current) return;
    const run = new AbortController();
    current = run;
    update({
      run: 'waiting',
      points: [],
      families: null,
      measuring: null,
      message: waiting(store.getState()),
    });
    try {
      for await (const event of deps.engine.compare(DEFAULT_COMPARISON, run.signal)) {
        if (current !== run) return;
        update(takeEvent(event, store.getState().comparison));
      }
      current = null;
    } catch (error) {
      if (current !== run) return;
      current = null;
      update({ run: 'failed', measuring: null, message: failureOf('generate', error).message });
    }
  };

  const stopComparing = () => {
    if (!current) return;
    current.abort();
    current = null;
    update({ run: 'idle', measuring: null, message: 'Stopped.' });
  };

  return { compare, stopComparing };
}

function waiting({ generation }: { readonly generation: string }): string {
  return generation === 'idle' ? 'Starting.' : 'Waits for the clip that is being made.';
}

function takeEvent(event: ComparisonEvent, { points }: ComparisonState): Partial<ComparisonState> {
  switch (event.type) {
    case 'measuring': {
      const { family, tokens, spent } = event;
      return { run: 'running', measuring: { family, tokens, spent }, message: 'Measuring.' };
    }
    case 'point':
      return { points: [...points, event.point] };
    case 'summary':
      return { run: 'idle', families: event.families, measuring: null, message: 'Measured.' };
  }
}
