/**
 * Keeps the engine alive for the worker's jobs: backend, weights, engine, in this order, rebuilt when the device
 * that they lived on is gone. Knows nothing of messages.
 */
import type { ComparisonEvent, ComparisonOptions, FamilySummaries } from '../config/comparison';
import type { GenerationOptions } from '../config/generation';
import { keptHash } from '../config/keptModel';
import { downsampleOf } from '../config/model';
import type { WebGpuFailure } from '../kernels/backends';
import { bytesOf, type LoadWeightsOptions, loadWeights, type Manifest, type StoredWeights } from '../loader';
import { createEngine, type Engine } from '../pipeline/engine';
import { type GenerationEvent, generate } from '../pipeline/generate';
import { checkFits, memoryFigures } from '../pipeline/memory';
import { clipFlops } from '../pipeline/work';
import { chooseBackend, NoBackendError } from './backend';
import { DeviceFailure } from './failures';
import type { BackendSummary, BackendWish, ClipData, ModelSummary } from './protocol';

export interface HostOptions {
  readonly signal: AbortSignal;
  readonly onBackend?: (backend: BackendSummary) => void;
  readonly onProgress?: LoadWeightsOptions['onProgress'];
}

type ProgressEvent = Exclude<GenerationEvent, { type: 'clip' }>;

/** After so many lost devices WebGPU is not chosen any more; the visitor may still ask for it by address. */
const MOST_DEVICE_FAILURES = 2;

export class EngineHost {
  private wanted: { manifestUrl: string; wish: BackendWish } | null = null;
  private backend: BackendSummary | null = null;
  private engine: Engine | null = null;
  private deviceFailures = 0;
  /** Rejects when the present device fails. */
  private failed: Promise<never> | null = null;

  /** What the engine runs on; null until it is chosen. */
  get device(): BackendSummary | null {
    return this.backend;
  }

  /** Chooses a backend, which loads then use: for who picks a model by it. */
  async prepare(wish: BackendWish): Promise<BackendSummary> {
    if (!this.backend || (wish.backend && wish.backend !== this.backend.backend)) {
      this.disposeEngine(); // It does not survive its backend.
      this.backend = await this.choose(wish);
    }
    return this.backend;
  }

  /**
   * Prepares a backend, loads the weights and builds the engine in place of the one before, which stays as long as the
   * new one's weights are not all there and verified.
   */
  async load(manifestUrl: string, wish: BackendWish, options: HostOptions): Promise<ModelSummary> {
    const before = this.wanted;
    this.wanted = { manifestUrl, wish };
    try {
      return summaryOf(await this.build(options), this.backend);
    } catch (error) {
      if (before) this.wanted = before; // What runs now, or is built anew for the next clip.
      throw error;
    }
  }

  /** The clip, with every step and the decoder's progress on the way. */
  async generate(
    options: GenerationOptions,
    host: HostOptions,
    onEvent: (event: ProgressEvent) => void,
  ): Promise<{ clip: ClipData; milliseconds: number; flops: number | null }> {
    return this.run(host, async (engine, signal) => {
      if (this.backend) checkFits(engine.manifest, this.backend, options.frames);
      for await (const event of generate(engine, options, signal)) {
        if (event.type === 'clip') {
          const { clip, milliseconds } = event;
          return { clip, milliseconds, flops: clipFlops(engine.manifest, options) };
        }
        onEvent(event);
      }
      throw new Error('generate: ended without a clip');
    });
  }

  /** How the families' time grew, with every measurement on the way. The engine stays as it is. */
  async compare(
    options: ComparisonOptions,
    host: HostOptions,
    onEvent: (event: Exclude<ComparisonEvent, { type: 'summary' }>) => void,
  ): Promise<FamilySummaries> {
    // Not before it is asked for: nobody should wait for it who only wants a clip.
    const { compareFamilies } = await import('../pipeline/compare');
    return this.run(host, async ({ transformer }, signal) => {
      for await (const event of compareFamilies(transformer, options, signal)) {
        if (event.type === 'summary') return event.families;
        onEvent(event);
      }
      throw new Error('compare: ended without a summary');
    });
  }

  /** Runs a job on the engine, which is built first where need be; ends it when the device fails. */
  private async run<T>(
    host: HostOptions,
    job: (engine: Engine, signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    const engine = this.engine ?? (await this.build(host));
    const abandon = new AbortController();
    try {
      return await this.unlessDeviceFails(job(engine, AbortSignal.any([host.signal, abandon.signal])));
    } finally {
      abandon.abort();
    }
  }

  private async build(options: HostOptions): Promise<Engine> {
    if (!this.wanted) throw new Error('No model is loaded yet: send load before generate.');
    const { manifestUrl, wish } = this.wanted;
    const backend = await this.prepare(wish);
    options.onBackend?.(backend);
    // Before anything is fetched, and with the engine before still there.
    const onManifest = (manifest: Manifest) => checkFits(manifest, backend);
    const weights = await fetchWeights(manifestUrl, { ...options, onManifest });
    try {
      options.signal.throwIfAborted();
      this.disposeEngine();
      this.engine = await this.unlessDeviceFails(createEngine(weights.manifest, weights));
      return this.engine;
    } finally {
      weights.release();
    }
  }

  private disposeEngine(): void {
    this.engine?.dispose();
    this.engine = null;
  }

  private async choose(wish: BackendWish): Promise<BackendSummary> {
    let reject: (error: DeviceFailure) => void = () => undefined;
    const failed = new Promise<never>((_, fail) => {
      reject = fail;
    });
    failed.catch(() => undefined); // Nobody may be waiting when it fails.
    const onFailure = (failure: WebGpuFailure) => {
      if (this.failed !== failed) return; // A device that was replaced already.
      this.deviceFailures += 1;
      this.backend = null;
      this.engine = null; // Not disposed: its device is gone, and its memory with it.
      reject(new DeviceFailure(failure));
    };
    this.failed = failed;
    const tooOften = this.deviceFailures >= MOST_DEVICE_FAILURES;
    const avoidWebGpu = tooOften ? 'The graphics card failed more than once.' : undefined;
    try {
      return await chooseBackend({ wish, avoidWebGpu, onFailure });
    } catch (error) {
      this.failed = null;
      throw error instanceof NoBackendError ? error : new NoBackendError(String(error), { cause: error });
    }
  }

  private unlessDeviceFails<T>(work: Promise<T>): Promise<T> {
    return this.failed === null ? work : Promise.race([work, this.failed]);
  }
}

/** From a server, or from this machine's library. */
async function fetchWeights(manifestUrl: string, options: LoadWeightsOptions): Promise<StoredWeights> {
  const hash = keptHash(manifestUrl);
  if (hash === null) return loadWeights(manifestUrl, options);
  const { keptSource, Library } = await import('../loader/library');
  const library = await Library.open();
  return library.use(hash, async () => {
    const { url, ...source } = await keptSource(library, hash);
    return loadWeights(url, { ...options, ...source });
  });
}

function summaryOf({ manifest, preview }: Engine, device: BackendSummary | null): ModelSummary {
  return {
    name: manifest.name,
    license: manifest.license,
    parameters: manifest.parameters,
    bytes: bytesOf(manifest),
    memory: device && memoryFigures(manifest, device),
    config: manifest.model,
    downsample: downsampleOf(manifest.model.tokenizer),
    preview,
  };
}
