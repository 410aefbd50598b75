/**
 * The engine as the page asks for it: load, generate, compare, encode. Holds what is loaded, no pixels, no state of the
 * page, nothing of React.
 *
 * A worker that dies (an uncaught error, out of memory) fails every open job with a sentence; the next call
 * starts a fresh worker and loads the same weights again, which then come from the cache.
 */
import type { ComparisonEvent, ComparisonOptions } from '../../config/comparison';
import type { GenerationOptions } from '../../config/generation';
import type { Scene } from '../../config/scene';
import type {
  BackendSummary,
  BackendWish,
  ClipData,
  ClipFormat,
  ModelSummary,
  Request,
  Response,
  StepSummary,
} from '../protocol';
import { absolute, Connection, JobError, type Unnumbered, type WorkerLike } from './connection';

export interface LoadProgress {
  readonly loadedBytes: number;
  readonly totalBytes: number;
  /** True as long as every byte so far came from the cache. */
  readonly fromCache: boolean;
}

export interface LoadRequest extends BackendWish {
  readonly signal?: AbortSignal;
  readonly onBackend?: (backend: BackendSummary) => void;
  readonly onProgress?: (progress: LoadProgress) => void;
}

/** What a generation reports: what the clip will be of, every step, the decoder's progress, one clip as the last event. */
export type GenerationEvent =
  /** Of models that are told. */
  | { readonly type: 'scene'; readonly scene: Scene }
  | { readonly type: 'step'; readonly summary: StepSummary }
  | { readonly type: 'decodeProgress'; readonly done: number; readonly total: number }
  | {
      readonly type: 'clip';
      readonly clip: ClipData;
      readonly milliseconds: number;
      /** Floating-point operations; null where they are not counted. */
      readonly flops: number | null;
    };

export interface EncodeRequest {
  readonly signal?: AbortSignal;
  readonly onProgress?: (frame: number, frames: number) => void;
}

export interface EncodedClip {
  readonly file: Blob;
  /** Without a dot. */
  readonly extension: string;
  /** As the container names it, e.g. `avc1.42001e`; `gif` for GIF. */
  readonly codec: string;
}

const CRASHED =
  'The engine stopped without warning, most likely for lack of memory. Nothing that was finished is lost; try again, with fewer frames if it happens twice.';

export class EngineClient {
  /** Whose worker also answers others (LibraryClient). */
  readonly connection: Connection;
  /** What to load again after a crash. */
  private wanted: { url: string; wish: BackendWish } | null = null;
  private workerHasModel = false;
  /** Of the newest load: a rebuilt engine may run on another backend. */
  private onBackend: LoadRequest['onBackend'];

  constructor(createWorker?: () => WorkerLike) {
    this.connection = new Connection({
      crashed: CRASHED,
      onEnd: () => {
        this.workerHasModel = false;
      },
      ...(createWorker ? { createWorker } : {}),
    });
  }

  /**
   * Chooses a backend, which `load` uses then: for who picks a model by it.
   * @throws JobError
   */
  async prepare(wish: BackendWish): Promise<BackendSummary> {
    return (await this.connection.ask({ type: 'prepare', wish: wishOf(wish) }, 'prepared')).backend;
  }

  /**
   * Chooses a backend where there is none, fetches, verifies and uploads the weights.
   * @throws JobError, or a DOMException named AbortError once `signal` is aborted.
   */
  async load(manifestUrl: string, request: LoadRequest = {}): Promise<ModelSummary> {
    const before = this.wanted;
    this.onBackend = request.onBackend;
    this.wanted = { url: absolute(manifestUrl), wish: wishOf(request) };
    try {
      return await this.loadWanted(request);
    } catch (error) {
      this.wanted = before ?? this.wanted; // The worker keeps the model that it had.
      throw error;
    }
  }

  /**
   * One generation. Yields every step as it ends and the clip as the last event.
   * Leaving the loop early, or aborting `signal`, stops the worker after the step under way.
   * @throws JobError, or a DOMException named AbortError once stopped.
   */
  async *generate(options: GenerationOptions, signal?: AbortSignal): AsyncGenerator<GenerationEvent, void> {
    for await (const response of this.follow({ type: 'generate', options }, signal)) {
      if (response.type === 'scene') yield { type: 'scene', scene: response.scene };
      else if (response.type === 'step') yield { type: 'step', summary: response.summary };
      else if (response.type === 'decodeProgress')
        yield { type: 'decodeProgress', done: response.done, total: response.total };
      else if (response.type === 'clip')
        yield {
          type: 'clip',
          clip: response.clip,
          milliseconds: response.milliseconds,
          flops: response.flops,
        };
    }
  }

  /**
   * The loaded model beside other families of transformers. Waits for what the engine is doing; a generation that is
   * asked for meanwhile waits for it. Leaving the loop early, or aborting `signal`, stops it after the pass under way.
   * @throws JobError, or a DOMException named AbortError once stopped.
   */
  async *compare(options: ComparisonOptions, signal?: AbortSignal): AsyncGenerator<ComparisonEvent, void> {
    for await (const response of this.follow({ type: 'compare', options }, signal)) {
      if (response.type === 'comparing') yield response.event;
      else if (response.type === 'compared') yield { type: 'summary', families: response.families };
    }
  }

  /** A job of the engine, whose model is loaded first if need be. */
  private async *follow(request: Unnumbered<Request>, signal?: AbortSignal): AsyncGenerator<Response, void> {
    await this.ensureLoaded(signal);
    for await (const response of this.connection.follow(request, signal)) {
      if (response.type === 'backend') this.onBackend?.(response.backend); // The engine was rebuilt first.
      yield response;
    }
  }

  /**
   * A file of a finished clip. Needs no model and runs beside a generation.
   * @throws JobError, or a DOMException named AbortError once stopped.
   */
  async encode(format: ClipFormat, clip: ClipData, request: EncodeRequest = {}): Promise<EncodedClip> {
    const response = await this.connection.ask(
      { type: 'encode', format, clip },
      'encoded',
      request.signal,
      (progress) => {
        if (progress.type === 'encodeProgress') request.onProgress?.(progress.frame, progress.frames);
      },
    );
    return { file: response.file, extension: response.extension, codec: response.codec };
  }

  /** The formats that this browser can write, best first; GIF is always among them. */
  async formats(): Promise<readonly ClipFormat[]> {
    return (await this.connection.ask({ type: 'formats' }, 'formats')).formats;
  }

  /** Ends the worker; open jobs fail. A later call starts a new one. */
  dispose(): void {
    this.connection.end('The page closed the engine.');
  }

  private async ensureLoaded(signal?: AbortSignal): Promise<void> {
    if (this.workerHasModel) return;
    if (!this.wanted) {
      throw new JobError(
        'internal',
        'The engine was asked to work before load(): load a model first.',
        false,
      );
    }
    await this.loadWanted(signal ? { signal } : {});
  }

  private async loadWanted({ signal, onProgress }: LoadRequest): Promise<ModelSummary> {
    if (!this.wanted) throw new JobError('internal', 'load() was not called.', false);
    const { url, wish } = this.wanted;
    const message = { type: 'load', manifestUrl: url, wish } as const;
    const response = await this.connection.ask(message, 'loaded', signal, (progress) => {
      if (progress.type === 'backend') this.onBackend?.(progress.backend);
      else if (progress.type === 'loadProgress') {
        const { loadedBytes, totalBytes, fromCache } = progress;
        onProgress?.({ loadedBytes, totalBytes, fromCache });
      }
    });
    this.workerHasModel = true;
    return response.model;
  }
}

/** The wish alone, of what may hold more. */
function wishOf({ backend, threads, float16 = true }: BackendWish): BackendWish {
  return { ...(backend && { backend }), ...(threads && { threads }), ...(!float16 && { float16 }) };
}
