/**
 * The page's store and everything a visitor can do to it, without React and without a document: what it needs
 * of the browser comes in as `PageDeps`. Results that arrive after Stop are dropped here, so that Stop answers
 * at once and nothing of an old job shows up in a new one.
 */
import { createStore, type StoreApi } from 'zustand/vanilla';
import {
  defaultGenerationOptions,
  type GenerationOptions,
  modelFacts,
  parseGenerationOptions,
} from '../config/generation';
import { presetsFor, type SamplingRecipe, samplingOf } from '../config/officialSampling';
import type { BackendSummary, ClipFormat, ModelSummary } from '../worker/protocol';
import { FORMATS, readAddress, writeAddress, writeModel } from './address';
import { comfortableFrames } from './comfort';
import { createComparison } from './comparison';
import { type Engine, failureOf, type PageContext, type PageDeps } from './context';
import { createDownload } from './download';
import { createGeneration } from './generation';
import { createHeld, type Held } from './held';
import { createModels, type ModelsActions } from './models';
import { FALLBACK_MODEL, ownModelFor } from './ownModels';
import { initialState, type PageState } from './state';
import { size } from './words';

export interface PageActions extends ModelsActions {
  /** Loads the weights and, unless the address says otherwise, makes the first clip. */
  begin(): Promise<void>;
  generate(): Promise<void>;
  stop(): void;
  /** Does again what failed. */
  retry(): Promise<void>;
  download(): Promise<void>;
  /** Measures the model beside other families of transformers. */
  compare(): Promise<void>;
  stopComparing(): void;
  togglePlayback(): void;
  change(field: Exclude<keyof GenerationOptions, 'seed'>, value: string): void;
  typeSeed(text: string): void;
  /** Takes the typed seed, or says why it cannot be used and puts the last good one back. */
  commitSeed(): void;
  newSeed(): void;
  chooseFormat(format: ClipFormat): void;
  /** Sets what an official recipe sets. */
  choosePreset(recipe: SamplingRecipe): void;
  dismissNotices(): void;
}

export interface Page {
  readonly store: StoreApi<PageState>;
  readonly actions: PageActions;
  readonly held: Held;
}

export function createPage(deps: PageDeps): Page {
  const store = createStore<PageState>(() => initialState(deps.drawSeed(), deps.calm));
  const held = createHeld();
  const context: PageContext = { deps, store, held };
  const settings = createSettings(context);
  const generation = createGeneration(context, settings.commitSeed);
  const comparison = createComparison(context);
  const download = createDownload(context);
  const load = createLoad(context, settings);
  /** In place of the present model, which stays when the other one cannot be had. */
  const switchTo = async (source: string | null): Promise<boolean> => {
    generation.stop();
    const before = deps.search();
    deps.replaceSearch(writeModel(before, source, store.getState().settings));
    const loaded = await load();
    if (!loaded && store.getState().model) deps.replaceSearch(before);
    return loaded;
  };
  const { refresh, ...models } = createModels(context, switchTo);

  const begin = async () => {
    const address = readAddress(deps.search());
    store.setState({ notices: address.problems, ...(address.format ? { format: address.format } : {}) });
    const loaded = await load();
    void refresh(); // Also removes what an interrupted conversion has left.
    if (loaded && address.autostart) await generation.generate();
  };

  return {
    store,
    held,
    actions: {
      begin,
      ...generation,
      ...comparison,
      ...settings,
      ...models,
      download,
      retry: () => {
        const during = store.getState().failure?.during;
        store.setState({ failure: null });
        if (during === 'load') return begin();
        if (during === 'encode') return download();
        return generation.generate();
      },
      togglePlayback: () => {
        store.setState(({ playback }) => ({ playback: playback === 'playing' ? 'paused' : 'playing' }));
      },
      chooseFormat: (format) => {
        store.setState({ format });
        settings.remember();
      },
      dismissNotices: () => store.setState({ notices: [] }),
    },
  };
}

type Settings = ReturnType<typeof createSettings>;

/** Settings live as strings given by the address or the visitor, and as the options that these come to. */
function createSettings({ deps, store }: PageContext) {
  const remember = () => {
    const { settings, facts, format, formats, weights, model } = store.getState();
    // Until the model is known the address may hold more than the provisional limits let through.
    if (weights !== 'ready' || !model) return;
    const usual = formats[0] ?? 'mp4';
    const chosen = format === usual ? null : format;
    deps.replaceSearch(writeAddress(deps.search(), model.source, settings, facts, chosen));
  };

  return {
    remember,
    /** Reads the settings again, now that the model and its limits are known. */
    adopt: (model: ModelSummary, backend: BackendSummary | null) => {
      const facts = modelFacts(model.config, comfortableFrames(backend?.backend));
      const { settings, notices } = store.getState();
      const defaults = { ...defaultGenerationOptions(facts), seed: settings.seed };
      const { options, problems } = parseGenerationOptions(readAddress(deps.search()).given, facts, defaults);
      store.setState({
        facts,
        settings: options,
        seedText: String(options.seed),
        notices: [...new Set([...notices, ...problems.map(({ message }) => message)])],
      });
    },
    change: (field: Exclude<keyof GenerationOptions, 'seed'>, value: string) => {
      const { facts, settings } = store.getState();
      store.setState({ settings: parseGenerationOptions({ [field]: value }, facts, settings).options });
      remember();
    },
    typeSeed: (seedText: string) => {
      const { facts, settings } = store.getState();
      const { options, problems } = parseGenerationOptions({ seed: seedText }, facts, settings);
      store.setState(problems.length === 0 ? { seedText, settings: options } : { seedText });
      if (problems.length === 0) remember();
    },
    choosePreset: (recipe: SamplingRecipe) => {
      const { facts, settings } = store.getState();
      store.setState({ settings: parseGenerationOptions(samplingOf(recipe), facts, settings).options });
      remember();
    },
    commitSeed: () => {
      const { facts, settings, seedText, notices } = store.getState();
      const { options, problems } = parseGenerationOptions({ seed: seedText }, facts, settings);
      const messages = problems.map(({ message }) => message);
      store.setState({
        settings: options,
        seedText: String(options.seed),
        ...(messages.length > 0 ? { notices: [...new Set([...notices, ...messages])] } : {}),
      });
      remember();
    },
    newSeed: () => {
      const seed = deps.drawSeed();
      store.setState(({ settings }) => ({ settings: { ...settings, seed }, seedText: String(seed) }));
      remember();
    },
  };
}

/** Loads the weights; true when they are there. */
function createLoad({ deps, store, held }: PageContext, settings: Settings) {
  return async (): Promise<boolean> => {
    const address = readAddress(deps.search());
    const { backend, threads, float16 } = address;
    const wish = { ...(backend ? { backend } : {}), ...(threads ? { threads } : {}), float16 };
    store.setState({ weights: 'loading', bytes: null, failure: null, status: 'Looking for the weights.' });
    let source = address.source;
    try {
      source ??= ownModelFor(await deps.engine.prepare(wish));
      const model = await deps.engine.load(source, {
        ...wish,
        onBackend: (summary) =>
          store.setState(({ backend: before, pace }) => ({
            backend: summary,
            pace: before?.backend === summary.backend ? pace : null,
          })),
        onProgress: ({ loadedBytes: loaded, totalBytes: total, fromCache }) => {
          const { bytes } = store.getState();
          store.setState({
            bytes: { loaded, total, fromCache },
            ...(bytes ? {} : { status: `Loading ${size(total)} of weights.` }),
          });
        },
      });
      held.table = model.preview;
      held.step = null; // Its codes are another model's.
      const { config, name, license, parameters, downsample, memory } = model;
      settings.adopt(model, store.getState().backend);
      store.setState({
        weights: 'ready',
        status: 'Ready.',
        fixedShare: [],
        millisecondsPerStep: null,
        model: {
          source,
          name,
          license,
          parameters,
          downsample,
          grid: config.grid,
          frameRate: config.frameRate,
          memory,
          presets: presetsFor(config),
        },
      });
      settings.remember();
      void offerFormats(deps.engine, store);
      return true;
    } catch (error) {
      const failure = failureOf('load', error);
      const { model } = store.getState();
      // The engine keeps the model that it had, and the page goes on with that.
      if (model) store.setState({ weights: 'ready', failure: { ...failure, retry: false } });
      else {
        const others = source !== null && source !== FALLBACK_MODEL;
        store.setState({
          weights: 'failed',
          failure: others ? { ...failure, instead: FALLBACK_MODEL } : failure,
        });
      }
      store.setState({ status: failure.message });
      return false;
    }
  };
}

/** Asks which files this browser can write; until it has answered, every format is offered. */
async function offerFormats(engine: Engine, store: StoreApi<PageState>): Promise<void> {
  try {
    const formats = await engine.formats();
    const { format, notices } = store.getState();
    const [best] = formats;
    if (formats.includes(format) || !best) return store.setState({ formats });
    const asked = format !== FORMATS[0];
    const message = `This browser cannot write ${format.toUpperCase()}; ${best.toUpperCase()} is chosen instead.`;
    store.setState({ formats, format: best, ...(asked ? { notices: [...notices, message] } : {}) });
  } catch {
    // A crash of the engine is reported by the job that met it; the choice of formats stays as it was.
  }
}
