/** A worker that a test speaks for. */
import type { Request, Response } from '../../protocol';
import type { WorkerLike } from '../connection';

export class FakeWorker implements WorkerLike {
  readonly received: Request[] = [];
  terminated = false;
  onmessage: ((event: MessageEvent<Response>) => void) | null = null;
  onerror: ((event: ErrorEvent) => void) | null = null;
  onmessageerror: ((event: MessageEvent) => void) | null = null;
  postMessage(message: Request): void {
    this.received.push(message);
  }
  terminate(): void {
    this.terminated = true;
  }
  say(response: Response): void {
    this.onmessage?.({ data: response } as MessageEvent<Response>);
  }
  crash(message = ''): void {
    this.onerror?.({ message } as ErrorEvent);
  }
  /** The newest request, waited for, as clients send after a turn of the event loop. */
  async newest(type: Request['type']): Promise<Request> {
    for (let i = 0; i < 50; i += 1) {
      const request = this.received.at(-1);
      if (request?.type === type) return request;
      await new Promise((resolve) => setTimeout(resolve));
    }
    throw new Error(`no ${type} came; got ${this.received.map((request) => request.type).join()}`);
  }
}
