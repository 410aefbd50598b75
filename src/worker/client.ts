/**
 * The page's side of the worker: promises and async iterators over the messages of `protocol.ts`.
 * Holds open jobs and the worker's life, no pixels, no state of the page, nothing of React.
 *
 * A worker that dies (an uncaught error, out of memory) fails every open job with a sentence; the next call
 * starts a fresh worker and loads the same weights again, which then come from the cache.
 */
import type { ComparisonEvent, ComparisonOptions } from '../config/comparison';
import type { GenerationOptions } from '../config/generation';
import type {
  BackendSummary,
  BackendWish,
  ClipData,
  ClipFormat,
  ConversionWish,
  ErrorCode,
  Inspection,
  ModelEntry,
  ModelSummary,
  Request,
  Response,
  StepSummary,
  StorageEstimate,
} from './protocol';
import { EventQueue } from './queue';

/** A job that the worker could not finish. `message` is a sentence for the visitor. */
export class JobError extends Error {
  override readonly name = 'JobError';
  constructor(
    readonly code: ErrorCode,
    message: string,
    /** The same request may succeed when it is made again. */
    readonly retry: boolean,
  ) {
    super(message);
  }
}

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

/** What a generation reports: every step, then the decoder's progress, then one clip as the last event. */
export type GenerationEvent =
  | { readonly type: 'step'; readonly summary: StepSummary }
  | { readonly type: 'decodeProgress'; readonly done: number; readonly total: number }
  | { readonly type: 'clip'; readonly clip: ClipData; readonly milliseconds: number };

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

export interface ConvertRequest {
  readonly signal?: AbortSignal;
  /** Bytes of the model that is being made. */
  readonly onProgress?: (doneBytes: number, totalBytes: number) => void;
}

/** What is at hand without a download; null where it cannot be told. */
export interface ModelList {
  readonly own: ModelEntry | null;
  readonly kept: readonly ModelEntry[];
  readonly storage: StorageEstimate | null;
}

/** The part of `Worker` that is used, so that tests can stand in for it. */
export interface WorkerLike {
  postMessage(message: Request): void;
  terminate(): void;
  onmessage: ((event: MessageEvent<Response>) => void) | null;
  onerror: ((event: ErrorEvent) => void) | null;
  onmessageerror: ((event: MessageEvent) => void) | null;
}

interface OpenJob {
  readonly receive: (response: Response) => void;
  readonly fail: (error: Error) => void;
}

/** A request as its caller writes it; the job's number is added on sending. */
type Unnumbered<R> = R extends Request ? Omit<R, 'job'> : never;

const CRASHED =
  'The engine stopped without warning, most likely for lack of memory. Nothing that was finished is lost; try again, with fewer frames if it happens twice.';

function startWorker(): WorkerLike {
  return new Worker(new URL('./worker.ts', import.meta.url), { type: 'module' });
}

/** The worker resolves addresses against its own script, which lies elsewhere than the page. */
function absolute(manifestUrl: string): string {
  return typeof document === 'undefined' ? manifestUrl : new URL(manifestUrl, document.baseURI).href;
}

function aborted(): DOMException {
  return new DOMException('Stopped.', 'AbortError');
}

export class EngineClient {
  private worker: WorkerLike | null = null;
  private readonly open = new Map<number, OpenJob>();
  private lastJob = 0;
  /** What to load again after a crash. */
  private wanted: { url: string; wish: BackendWish } | null = null;
  private workerHasModel = false;
  /** Of the newest load: a rebuilt engine may run on another backend. */
  private onBackend: LoadRequest['onBackend'];

  constructor(private readonly createWorker: () => WorkerLike = startWorker) {}

  /**
   * Chooses a backend, fetches, verifies and uploads the weights.
   * @throws JobError, or a DOMException named AbortError once `signal` is aborted.
   */
  async load(manifestUrl: string, request: LoadRequest = {}): Promise<ModelSummary> {
    const { backend, threads } = request;
    const before = this.wanted;
    this.onBackend = request.onBackend;
    this.wanted = {
      url: absolute(manifestUrl),
      wish: { ...(backend && { backend }), ...(threads && { threads }) },
    };
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
      if (response.type === 'step') yield { type: 'step', summary: response.summary };
      else if (response.type === 'decodeProgress')
        yield { type: 'decodeProgress', done: response.done, total: response.total };
      else if (response.type === 'clip')
        yield { type: 'clip', clip: response.clip, milliseconds: response.milliseconds };
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

  /** Everything that the worker says to a job of the engine, up to its last message; loads the model first if need be. */
  private async *follow(request: Unnumbered<Request>, signal?: AbortSignal): AsyncGenerator<Response, void> {
    await this.ensureLoaded(signal);
    const events = new EventQueue<Response>();
    const job = this.send(request, events.push, events.fail);
    const stop = () => this.cancel(job);
    signal?.addEventListener('abort', stop, { once: true });
    if (signal?.aborted) stop();
    try {
      for (;;) {
        const response = await events.next();
        if (response.type === 'backend') this.onBackend?.(response.backend); // The engine was rebuilt first.
        yield response;
        if (isLast(response)) return;
      }
    } finally {
      signal?.removeEventListener('abort', stop);
      this.cancel(job);
    }
  }

  /**
   * A file of a finished clip. Needs no model and runs beside a generation.
   * @throws JobError, or a DOMException named AbortError once stopped.
   */
  async encode(format: ClipFormat, clip: ClipData, request: EncodeRequest = {}): Promise<EncodedClip> {
    const response = await this.ask(
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
    return (await this.ask({ type: 'formats' }, 'formats')).formats;
  }

  /** What one or two checkpoints hold. @throws JobError `not-a-checkpoint` with a sentence */
  async inspect(files: readonly File[], wish: ConversionWish): Promise<Inspection> {
    return (await this.ask({ type: 'inspect', files, wish }, 'inspected')).inspection;
  }

  /**
   * Converts checkpoints and keeps the model on this machine. Needs no model and runs beside a generation.
   * @throws JobError, or a DOMException named AbortError once stopped; nothing half-made is left then.
   */
  async convert(
    files: readonly File[],
    wish: ConversionWish,
    { signal, onProgress }: ConvertRequest = {},
  ): Promise<{ model: ModelEntry; report: string }> {
    const request = { type: 'convert', files, wish } as const;
    const { model, report } = await this.ask(request, 'converted', signal, (progress) => {
      if (progress.type === 'convertProgress') onProgress?.(progress.doneBytes, progress.totalBytes);
    });
    return { model, report };
  }

  /** The models at hand: the page's own, and those kept on this machine. */
  async models(ownManifestUrl: string): Promise<ModelList> {
    const ownUrl = absolute(ownManifestUrl);
    const { own, kept, storage } = await this.ask({ type: 'models', ownUrl }, 'models');
    return { own, kept, storage };
  }

  /** @returns bytes that are free again */
  async removeModel(hash: string): Promise<number> {
    return (await this.ask({ type: 'removeModel', hash }, 'modelRemoved')).freedBytes;
  }

  /** The report of a kept model's conversion. */
  async modelReport(hash: string): Promise<string> {
    return (await this.ask({ type: 'modelReport', hash }, 'modelReport')).report;
  }

  /** Stops one job, or every open job. The jobs themselves end with an AbortError when the worker has answered. */
  cancel(job?: number): void {
    for (const open of job === undefined ? [...this.open.keys()] : [job]) {
      if (this.open.has(open)) this.worker?.postMessage({ type: 'cancel', job: open });
    }
  }

  /** Ends the worker; open jobs fail. A later call starts a new one. */
  dispose(): void {
    this.drop('The page closed the engine.');
  }

  private async ensureLoaded(signal?: AbortSignal): Promise<void> {
    if (this.worker && this.workerHasModel) return;
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
    const response = await this.ask(message, 'loaded', signal, (progress) => {
      if (progress.type === 'backend') this.onBackend?.(progress.backend);
      else if (progress.type === 'loadProgress') {
        const { loadedBytes, totalBytes, fromCache } = progress;
        onProgress?.({ loadedBytes, totalBytes, fromCache });
      }
    });
    this.workerHasModel = true;
    return response.model;
  }

  /** Sends a request whose last answer has the type `last`; answers before it go to `onProgress`. */
  private ask<Last extends Response['type']>(
    request: Unnumbered<Request>,
    last: Last,
    signal?: AbortSignal,
    onProgress?: (response: Response) => void,
  ): Promise<Extract<Response, { type: Last }>> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(aborted());
      let stop: () => void = () => undefined;
      const settle = (then: () => void) => {
        signal?.removeEventListener('abort', stop);
        then();
      };
      const job = this.send(
        request,
        (response) => {
          if (isOfType(response, last)) settle(() => resolve(response));
          else onProgress?.(response);
        },
        (error) => settle(() => reject(error)),
      );
      stop = () => this.cancel(job);
      signal?.addEventListener('abort', stop, { once: true });
    });
  }

  private send(
    request: Unnumbered<Request>,
    receive: (response: Response) => void,
    fail: (error: Error) => void,
  ): number {
    this.lastJob += 1;
    const job = this.lastJob;
    this.open.set(job, { receive, fail });
    try {
      this.running().postMessage({ ...request, job } as Request);
    } catch (error) {
      this.open.delete(job);
      fail(new JobError('internal', `The request could not be sent to the engine: ${String(error)}`, true));
    }
    return job;
  }

  private running(): WorkerLike {
    if (this.worker) return this.worker;
    const worker = this.createWorker();
    worker.onmessage = (event) => this.dispatch(event.data);
    worker.onerror = (event) => {
      event.preventDefault?.();
      if (worker === this.worker) this.drop(event.message ? `${CRASHED} (${event.message})` : CRASHED);
    };
    worker.onmessageerror = () => {
      if (worker === this.worker) this.drop(CRASHED);
    };
    this.worker = worker;
    return worker;
  }

  private dispatch(response: Response): void {
    const job = this.open.get(response.job);
    if (!job) return; // Ended already: an answer that crossed its cancellation.
    if (response.type === 'failed') {
      this.open.delete(response.job);
      job.fail(new JobError(response.code, response.message, response.retry));
    } else if (response.type === 'cancelled') {
      this.open.delete(response.job);
      job.fail(aborted());
    } else {
      if (isLast(response)) this.open.delete(response.job);
      job.receive(response);
    }
  }

  /** Ends the worker and fails what is open. */
  private drop(message: string): void {
    this.worker?.terminate();
    this.worker = null;
    this.workerHasModel = false;
    const jobs = [...this.open.values()];
    this.open.clear();
    for (const job of jobs) job.fail(new JobError('internal', message, true));
  }
}

function isOfType<T extends Response['type']>(
  response: Response,
  type: T,
): response is Extract<Response, { type: T }> {
  return response.type === type;
}

const LAST: ReadonlySet<Response['type']> = new Set([
  'loaded',
  'clip',
  'compared',
  'encoded',
  'formats',
  'inspected',
  'converted',
  'models',
  'modelRemoved',
  'modelReport',
  'cancelled',
  'failed',
]);

function isLast(response: Response): boolean {
  return LAST.has(response.type);
}
