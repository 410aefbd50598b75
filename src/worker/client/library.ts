/**
 * Checkpoints and kept models, as the page asks for them. Conversions have a worker of their own, which lives as long as
 * they have work: a generation does not wait for them, nor they for it, and their memory is given back at the end.
 */
import type { ConversionWish, Device, Inspection, ModelEntry, StorageEstimate } from '../protocol';
import { absolute, Connection, type WorkerLike } from './connection';

export interface ConvertRequest {
  readonly signal?: AbortSignal;
  /** Bytes of the model that is being made. */
  readonly onProgress?: (doneBytes: number, totalBytes: number) => void;
}

/** What is at hand without a download; null where it cannot be told. */
export interface ModelList {
  readonly own: readonly (ModelEntry | null)[];
  readonly kept: readonly ModelEntry[];
  readonly storage: StorageEstimate | null;
}

const CRASHED =
  'The conversion stopped without warning, most likely for lack of memory. Nothing of it was kept; close other pages and try again.';

export class LibraryClient {
  private readonly converting: Connection;

  /** @param engine whose worker answers what takes no time */
  constructor(
    private readonly engine: Connection,
    createWorker?: () => WorkerLike,
  ) {
    this.converting = new Connection({ crashed: CRASHED, ...(createWorker ? { createWorker } : {}) });
  }

  /**
   * What one or two checkpoints hold, and what they would take on `device`.
   * @throws JobError `not-a-checkpoint` with a sentence
   */
  async inspect(files: readonly File[], wish: ConversionWish, device: Device | null): Promise<Inspection> {
    const { inspection } = await this.work(() =>
      this.converting.ask({ type: 'inspect', files, wish, device }, 'inspected'),
    );
    return inspection;
  }

  /**
   * Converts checkpoints and keeps the model on this machine, beside whatever the engine does.
   * @throws JobError, or a DOMException named AbortError once stopped; nothing half-made is left then.
   */
  async convert(
    files: readonly File[],
    wish: ConversionWish,
    { signal, onProgress }: ConvertRequest = {},
  ): Promise<{ model: ModelEntry; report: string }> {
    const request = { type: 'convert', files, wish } as const;
    const { model, report } = await this.work(() =>
      this.converting.ask(request, 'converted', signal, (progress) => {
        if (progress.type === 'convertProgress') onProgress?.(progress.doneBytes, progress.totalBytes);
      }),
    );
    return { model, report };
  }

  /** The models at hand: the page's own ones, in the order asked for, and those kept on this machine. */
  async models(ownManifestUrls: readonly string[]): Promise<ModelList> {
    const ownUrls = ownManifestUrls.map(absolute);
    const { own, kept, storage } = await this.engine.ask({ type: 'models', ownUrls }, 'models');
    return { own, kept, storage };
  }

  /** A hosted model, by its manifest alone. @throws JobError */
  async describe(manifestUrl: string): Promise<ModelEntry> {
    const request = { type: 'describe', manifestUrl: absolute(manifestUrl) } as const;
    return (await this.engine.ask(request, 'described')).model;
  }

  /** @returns bytes that are free again */
  async removeModel(hash: string): Promise<number> {
    return (await this.engine.ask({ type: 'removeModel', hash }, 'modelRemoved')).freedBytes;
  }

  /** The report of a kept model's conversion. */
  async modelReport(hash: string): Promise<string> {
    return (await this.engine.ask({ type: 'modelReport', hash }, 'modelReport')).report;
  }

  private async work<T>(run: () => Promise<T>): Promise<T> {
    try {
      return await run();
    } finally {
      if (this.converting.idle) this.converting.end('The conversion has ended.');
    }
  }
}
