/**
 * The worker's entry: a table of jobs, each with its AbortController, and the engine that they share. What a job
 * does is elsewhere (pipeline, loader, video); what is said is in protocol.ts.
 */
import type { Failure } from './failures';
import { failureOf } from './failures';
import { EngineHost } from './host';
import type { BackendSummary, Request, Response } from './protocol';

const host = new EngineHost();
const jobs = new Map<number, AbortController>();

/** Loads, generations and comparisons share the backend, so that they run one after the other. */
let engineTurn: Promise<unknown> = Promise.resolve();

self.onmessage = (event: MessageEvent<Request>) => receive(event.data);

function receive(request: Request): void {
  const { job } = request;
  switch (request.type) {
    case 'prepare':
      start(job, inTurn, async () => ({
        type: 'prepared',
        job,
        backend: await host.prepare(request.wish),
      }));
      return;
    case 'load':
      start(job, inTurn, async (signal) => ({
        type: 'loaded',
        job,
        model: await host.load(request.manifestUrl, request.wish, {
          signal,
          onBackend: (backend) => post({ type: 'backend', job, backend }),
          onProgress: (progress) => post({ type: 'loadProgress', job, ...progress }),
        }),
      }));
      return;
    case 'generate':
      start(job, inTurn, async (signal) => {
        const onBackend = (backend: BackendSummary) => post({ type: 'backend', job, backend });
        const { clip, milliseconds, flops } = await host.generate(
          request.options,
          { signal, onBackend },
          (event) => post({ job, ...event }),
        );
        return { type: 'clip', job, clip, milliseconds, flops };
      });
      return;
    case 'compare':
      start(job, inTurn, async (signal) => {
        const onBackend = (backend: BackendSummary) => post({ type: 'backend', job, backend });
        const families = await host.compare(request.options, { signal, onBackend }, (event) =>
          post({ type: 'comparing', job, event }),
        );
        return { type: 'compared', job, families };
      });
      return;
    case 'encode':
      start(job, atOnce, async (signal) => {
        const { encode } = await import('../video/encode');
        const onFrame = (frame: number, frames: number) =>
          post({ type: 'encodeProgress', job, frame, frames });
        return { type: 'encoded', job, ...(await encode(request.clip, request.format, { signal, onFrame })) };
      });
      return;
    case 'formats':
      start(job, atOnce, async () => {
        const { support } = await import('../video/encode');
        return { type: 'formats', job, formats: await support() };
      });
      return;
    case 'inspect':
      start(job, atOnce, async () => {
        const { inspect } = await import('./conversion');
        return {
          type: 'inspected',
          job,
          inspection: await inspect(request.files, request.wish, request.device),
        };
      });
      return;
    case 'convert':
      start(job, atOnce, async (signal) => {
        const { convertAndKeep } = await import('./conversion');
        const onProgress = (doneBytes: number, totalBytes: number) =>
          post({ type: 'convertProgress', job, doneBytes, totalBytes });
        const converted = await convertAndKeep(request.files, request.wish, { signal, onProgress });
        return { type: 'converted', job, ...converted };
      });
      return;
    case 'models':
      start(job, atOnce, async () => {
        const { listModels } = await import('./models');
        return { type: 'models', job, ...(await listModels(request.ownUrls, host.device)) };
      });
      return;
    case 'describe':
      start(job, atOnce, async () => {
        const { describeModel } = await import('./models');
        return { type: 'described', job, model: await describeModel(request.manifestUrl, host.device) };
      });
      return;
    case 'removeModel':
      start(job, atOnce, async () => {
        const { Library } = await import('../loader/library');
        const library = await Library.open();
        return { type: 'modelRemoved', job, freedBytes: await library.remove(request.hash) };
      });
      return;
    case 'modelReport':
      start(job, atOnce, async () => {
        const { Library } = await import('../loader/library');
        const library = await Library.open();
        return { type: 'modelReport', job, report: await library.report(request.hash) };
      });
      return;
    case 'cancel':
      jobs.get(job)?.abort(new DOMException('Stopped.', 'AbortError'));
      return;
    default:
      request satisfies never;
      throw new Error(`The worker got a message of an unknown type: ${JSON.stringify(request)}`);
  }
}

const atOnce = <T>(run: () => Promise<T>): Promise<T> => run();

function inTurn<T>(run: () => Promise<T>): Promise<T> {
  const turn = engineTurn.then(run);
  engineTurn = turn.catch(() => undefined);
  return turn;
}

/** Runs a job to its one last message. */
function start(
  job: number,
  when: (run: () => Promise<Response>) => Promise<Response>,
  run: (signal: AbortSignal) => Promise<Response>,
): void {
  const controller = new AbortController();
  jobs.set(job, controller);
  const { signal } = controller;
  when(async () => {
    signal.throwIfAborted();
    return run(signal);
  })
    .then(
      (response) => post(response, response.type === 'clip' ? [response.clip.pixels.buffer] : []),
      (error: unknown) => {
        // A stopped job may end in whatever its abort led to.
        if (signal.aborted) post({ type: 'cancelled', job });
        else fail(job, failureOf(error), error);
      },
    )
    .finally(() => jobs.delete(job));
}

function fail(job: number, { fatal, ...failure }: Failure, error: unknown): void {
  console.error('Job failed:', error);
  post({ type: 'failed', job, ...failure });
  // Uncaught, so that the client replaces this worker: memory that WebAssembly lost comes back no other way.
  if (fatal) {
    setTimeout(() => {
      throw error;
    });
  }
}

function post(response: Response, transfer: Transferable[] = []): void {
  self.postMessage(response, { transfer });
}
