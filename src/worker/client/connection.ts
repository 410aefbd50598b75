/**
 * A worker and the jobs that are open on it: numbers requests, hands answers to whom they are for, stops, and fails
 * every open job with a sentence when the worker dies. The next request starts a fresh worker. Knows no job by name;
 * what is asked and what comes of it is in engine.ts and library.ts.
 */
import type { ErrorCode, Request, Response } from '../protocol';
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

/** The part of `Worker` that is used, so that tests can stand in for it. */
export interface WorkerLike {
  postMessage(message: Request): void;
  terminate(): void;
  onmessage: ((event: MessageEvent<Response>) => void) | null;
  onerror: ((event: ErrorEvent) => void) | null;
  onmessageerror: ((event: MessageEvent) => void) | null;
}

/** A request as its caller writes it; the job's number is added on sending. */
export type Unnumbered<R> = R extends Request ? Omit<R, 'job'> : never;

interface OpenJob {
  readonly receive: (response: Response) => void;
  readonly fail: (error: Error) => void;
}

export interface ConnectionOptions {
  readonly createWorker?: () => WorkerLike;
  /** The sentence for a worker that died. */
  readonly crashed: string;
  /** Called when the worker has ended, before its open jobs fail. */
  readonly onEnd?: () => void;
}

export class Connection {
  private worker: WorkerLike | null = null;
  private readonly open = new Map<number, OpenJob>();
  private lastJob = 0;

  constructor(private readonly options: ConnectionOptions) {}

  get idle(): boolean {
    return this.open.size === 0;
  }

  /**
   * Sends a request whose last answer has the type `last`; answers before it go to `onProgress`.
   * @throws JobError, or a DOMException named AbortError once `signal` is aborted and the worker has answered
   */
  ask<Last extends Response['type']>(
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

  /**
   * Everything that the worker says to a job, up to its last message. Leaving the loop early stops the job.
   * @throws as `ask` does
   */
  async *follow(request: Unnumbered<Request>, signal?: AbortSignal): AsyncGenerator<Response, void> {
    const events = new EventQueue<Response>();
    const job = this.send(request, events.push, events.fail);
    const stop = () => this.cancel(job);
    signal?.addEventListener('abort', stop, { once: true });
    if (signal?.aborted) stop();
    try {
      for (;;) {
        const response = await events.next();
        yield response;
        if (isLast(response)) return;
      }
    } finally {
      signal?.removeEventListener('abort', stop);
      this.cancel(job);
    }
  }

  /** Ends the worker and fails what is open. */
  end(message: string): void {
    this.worker?.terminate();
    this.worker = null;
    this.options.onEnd?.();
    const jobs = [...this.open.values()];
    this.open.clear();
    for (const job of jobs) job.fail(new JobError('internal', message, true));
  }

  /** The job itself ends with an AbortError when the worker has answered. */
  private cancel(job: number): void {
    if (this.open.has(job)) this.worker?.postMessage({ type: 'cancel', job });
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
    const { createWorker = startWorker, crashed } = this.options;
    const worker = createWorker();
    worker.onmessage = (event) => this.dispatch(event.data);
    worker.onerror = (event) => {
      event.preventDefault?.();
      if (worker === this.worker) this.end(event.message ? `${crashed} (${event.message})` : crashed);
    };
    worker.onmessageerror = () => {
      if (worker === this.worker) this.end(crashed);
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
}

function startWorker(): WorkerLike {
  return new Worker(new URL('../worker.ts', import.meta.url), { type: 'module' });
}

/** The worker resolves addresses against its own script, which lies elsewhere than the page. */
export function absolute(manifestUrl: string): string {
  return typeof document === 'undefined' ? manifestUrl : new URL(manifestUrl, document.baseURI).href;
}

function aborted(): DOMException {
  return new DOMException('Stopped.', 'AbortError');
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
  'described',
  'modelRemoved',
  'modelReport',
  'cancelled',
  'failed',
]);

function isLast(response: Response): boolean {
  return LAST.has(response.type);
}
