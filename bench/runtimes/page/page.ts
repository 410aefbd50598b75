/** The bench's page: starts the worker in which everything is measured, as the product's page does, and passes on what it says. */
import type { SuiteOptions } from '../../suite';
import type { Message } from '../message';

declare global {
  /** Called by chromium.ts. */
  var startBench: (options: SuiteOptions) => void;
  /** Provided by chromium.ts. */
  var benchMessage: (message: Message) => void;
}

globalThis.startBench = (options) => {
  const worker = new Worker(new URL('./worker.ts', import.meta.url), { type: 'module' });
  worker.onmessage = ({ data }: MessageEvent<Message>) => benchMessage(data);
  worker.onerror = ({ message }) =>
    benchMessage({ type: 'failed', message: message || 'the worker did not start' });
  worker.postMessage(options);
};
