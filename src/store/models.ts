/**
 * The library as the page shows it: models at hand, checkpoints that are opened and converted, their reports. Part of
 * the store; the files themselves are held here, the store knows their names.
 */
import { KEPT_SCHEME } from '../config/keptModel';
import type { ModelList } from '../worker/client';
import type { ConversionAnswers, ConversionWish, Inspection, Quantization } from '../worker/protocol';
import { readAddress } from './address';
import type { PageContext } from './context';
import { type KeepFields, type Question, readAnswers, wishOf } from './conversionAnswers';
import { createHosted, type HostedModel } from './hostedModels';
import { OWN_MODELS } from './ownModels';
import type { PageState } from './state';
import { size } from './words';

/** What is being done with a checkpoint. */
export type CheckpointWork =
  | { readonly kind: 'none' }
  | { readonly kind: 'reading' }
  | {
      readonly kind: 'asking';
      readonly needs: Extract<Inspection, { kind: 'needs' }>['needs'];
      /** The answer that cannot be used, and why. */
      readonly problem: { readonly what: Question['what']; readonly message: string } | null;
    }
  | {
      readonly kind: 'choosing';
      readonly found: Extract<Inspection, { kind: 'ready' }>;
      readonly quantization: Quantization;
    }
  | {
      readonly kind: 'converting';
      readonly name: string;
      readonly doneBytes: number;
      readonly totalBytes: number;
      readonly bytesPerSecond: number;
      /** ms; null before there is a pace to go by. */
      readonly millisecondsLeft: number | null;
    }
  | { readonly kind: 'failed'; readonly message: string };

export interface ModelsState {
  readonly dialog: 'closed' | 'open';
  /** Null until the worker has looked. */
  readonly list: ModelList | null;
  /** Names of the checkpoint's files. */
  readonly files: readonly string[];
  readonly work: CheckpointWork;
  /** Models of other sites: the one that the address names, and those that were looked up. */
  readonly hosted: readonly HostedModel[];
  /** Why the address that was typed cannot be looked up; empty where it can. */
  readonly addressProblem: string;
  /** What happened last: a sentence. */
  readonly notice: string;
  /** The report that is shown. */
  readonly report: { readonly title: string; readonly text: string } | null;
}

export const INITIAL_MODELS: ModelsState = {
  dialog: 'closed',
  list: null,
  files: [],
  work: { kind: 'none' },
  hosted: [],
  addressProblem: '',
  notice: '',
  report: null,
};

export interface ModelsActions {
  openModels(): void;
  /** A conversion goes on. */
  closeModels(): void;
  /** One file, or two: the transformer's, and the VQGAN's. */
  openCheckpoint(files: readonly File[]): Promise<void>;
  answer(given: Readonly<Partial<Record<Question['what'], string>>>): Promise<void>;
  chooseQuantization(quantization: Quantization): void;
  convert(given: KeepFields): Promise<void>;
  stopConversion(): void;
  forgetCheckpoint(): void;
  /** Fetches a hosted model's manifest, and nothing else of it. @param typed the manifest's address */
  lookUpModel(typed: string): Promise<void>;
  /** Looks again at what is kept, which other tabs may have changed. */
  refreshModels(): Promise<void>;
  /** @param source what `?model=` takes; null lets the page choose */
  switchModel(source: string | null): Promise<void>;
  removeModel(hash: string): Promise<void>;
  showReport(hash: string, name: string): Promise<void>;
  showPlannedReport(): void;
  closeReport(): void;
}

/** @param switchTo loads a model in place of the present one; says whether it is there */
export function createModels(
  { deps, store }: PageContext,
  switchTo: (source: string | null) => Promise<boolean>,
): ModelsActions & { refresh(): Promise<void> } {
  const { library } = deps;
  const hosted = createHosted(deps, store);
  let files: readonly File[] = [];
  let answers: ConversionAnswers = {};
  let conversion: AbortController | null = null;

  const state = (): ModelsState => store.getState().models;
  const set = (change: Partial<ModelsState>): void =>
    store.setState(({ models }) => ({ models: { ...models, ...change } }));
  const fail = (error: unknown): void => {
    set({ work: { kind: 'failed', message: messageOf(error) } });
  };
  const refresh = async (): Promise<void> => {
    try {
      set({ list: await library.models(OWN_MODELS.map(({ source }) => source)) });
    } catch (error) {
      set({ notice: messageOf(error) });
    }
  };

  const inspect = async (): Promise<void> => {
    const asked = files;
    set({ work: { kind: 'reading' }, files: files.map(({ name }) => name), notice: '' });
    const wish: ConversionWish = { quantization: 'int8', answers };
    try {
      const found = await library.inspect(files, wish, store.getState().backend);
      if (files !== asked) return; // Other files were opened meanwhile.
      set({
        work:
          found.kind === 'needs'
            ? { kind: 'asking', needs: found.needs, problem: null }
            : { kind: 'choosing', found, quantization: 'int8' },
      });
    } catch (error) {
      if (files === asked) fail(error);
    }
  };

  const convert = async (found: Extract<Inspection, { kind: 'ready' }>, wish: ConversionWish) => {
    const abort = new AbortController();
    conversion = abort;
    const began = performance.now();
    const name = wish.name ?? found.facts.name;
    const show = (doneBytes: number, totalBytes: number): void => {
      const seconds = (performance.now() - began) / 1000;
      const bytesPerSecond = seconds > 0 ? doneBytes / seconds : 0;
      const left = bytesPerSecond > 0 ? (1000 * (totalBytes - doneBytes)) / bytesPerSecond : null;
      const work = { kind: 'converting', name, doneBytes, totalBytes, bytesPerSecond } as const;
      if (conversion === abort) set({ work: { ...work, millisecondsLeft: left } });
    };
    show(0, found.sizes[wish.quantization]);
    try {
      const { model } = await library.convert(files, wish, { signal: abort.signal, onProgress: show });
      files = [];
      set({
        work: { kind: 'none' },
        files: [],
        notice: `${model.name} is converted and kept on this machine, ${size(model.bytes)}.`,
      });
    } catch (error) {
      if (!abort.signal.aborted) fail(error);
      else set({ work: { kind: 'none' }, files: [], notice: 'Stopped. Nothing of it was kept.' });
    } finally {
      if (conversion === abort) conversion = null;
    }
    await refresh(); // Also removes what a conversion that broke off has left.
  };

  return {
    refresh,
    openModels: () => {
      set({ dialog: 'open' });
      void refresh();
      const { source } = readAddress(deps.search());
      if (source !== null) void hosted.describe(source);
    },
    closeModels: () => set({ dialog: 'closed', report: null }),
    openCheckpoint: async (given) => {
      set({ dialog: 'open', report: null });
      if (conversion) return set({ notice: 'A checkpoint is being converted: stop that first.' });
      const { work } = state();
      const waits =
        work.kind === 'asking' &&
        work.needs.some(({ what }) => what === 'tokenizer' || what === 'transformer');
      const together = waits ? [...files, ...given] : [...given];
      if (together.length === 0) return;
      if (together.length > 2) {
        files = [];
        return fail(
          new Error(
            `${together.length} files were given; one or two are expected: the transformer’s checkpoint, and the VQGAN’s where it is separate.`,
          ),
        );
      }
      files = together;
      answers = {};
      if (!state().list) void refresh();
      await inspect();
    },
    answer: async (given) => {
      const read = readAnswers(given);
      const { work } = state();
      if (work.kind !== 'asking') return;
      if (read.kind === 'problem') return set({ work: { ...work, problem: read } });
      answers = { ...answers, ...read.answers };
      await inspect();
    },
    chooseQuantization: (quantization) => {
      const { work } = state();
      if (work.kind === 'choosing') set({ work: { ...work, quantization } });
    },
    convert: async (given) => {
      const { work } = state();
      if (work.kind !== 'choosing' || work.found.missing.length > 0) return;
      await convert(work.found, wishOf(given, work.quantization, answers));
    },
    stopConversion: () => conversion?.abort(),
    forgetCheckpoint: () => {
      files = [];
      set({ work: { kind: 'none' }, files: [], notice: '' });
    },
    lookUpModel: hosted.lookUp,
    refreshModels: refresh,
    switchModel: async (source) => {
      if (await switchTo(source)) set({ dialog: 'closed', report: null, notice: '' });
      else {
        set({ notice: store.getState().failure?.message ?? '' });
        await refresh(); // Another tab may have removed it.
      }
    },
    removeModel: async (hash) => {
      const entry = state().list?.kept.find((kept) => kept.hash === hash);
      try {
        const freed = await library.removeModel(hash);
        set({ notice: `${entry?.name ?? 'The model'} is removed; ${size(freed)} are free again.` });
      } catch (error) {
        set({ notice: messageOf(error) });
        return refresh();
      }
      await refresh();
      if (store.getState().model?.source === `${KEPT_SCHEME}${hash}`) await switchTo(null);
    },
    showReport: async (hash, name) => {
      try {
        set({ report: { title: name, text: await library.modelReport(hash) } });
      } catch (error) {
        set({ notice: messageOf(error) });
      }
    },
    showPlannedReport: () => {
      const { work } = state();
      if (work.kind === 'choosing') {
        set({ report: { title: work.found.facts.name, text: work.found.report } });
      }
    },
    closeReport: () => set({ report: null }),
  };
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/** Bytes that the browser still lets the page store, or null where it does not say. */
export function freeBytes({ list }: Pick<ModelsState, 'list'>): number | null {
  return list?.storage ? Math.max(0, list.storage.quota - list.storage.used) : null;
}

/** What the machine line says while the dialog is closed. */
export function conversionInWords({ models: { work } }: Pick<PageState, 'models'>): string | null {
  if (work.kind !== 'converting' || work.totalBytes === 0) return null;
  return `converting ${Math.floor((100 * work.doneBytes) / work.totalBytes)} %`;
}
