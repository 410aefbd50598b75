/** Runs the suite in a worker: our backends as the product prepares them, onnxruntime-web from its own files under ort/. */
import { chooseBackend } from '../../../src/worker/backend';
import type { Ort, OrtModule } from '../../onnx/session';
import { type Host, runSuite, type SuiteOptions } from '../../suite';
import type { Message } from '../message';

const send = (message: Message): void => postMessage(message);

/** Not bundled: its threads load the file again, by its address. */
async function loadOrt(backend: 'wasm' | 'webgpu', threads: number): Promise<Ort> {
  const folder = new URL('../ort/', location.href).href;
  const address = `${folder}ort.${backend}.min.mjs`;
  const module = (await import(/* @vite-ignore */ address)) as OrtModule;
  module.env.wasm.wasmPaths = folder;
  module.env.wasm.numThreads = threads;
  return { module, provider: backend };
}

const host: Host = {
  prepare: async ({ backend, threads, float16 }) => {
    const onFailure = ({ message }: { message: string }): void => send({ type: 'failed', message });
    const wish = { backend, float16, ...(threads === undefined ? {} : { threads }) };
    return chooseBackend({ wish, onFailure });
  },
  loadOrt,
  readFile: async (file) => {
    const response = await fetch(new URL(`../weights/${file}`, location.href));
    if (!response.ok) throw new Error(`weights/${file}: ${response.status}`);
    return response.arrayBuffer();
  },
  log: (line) => send({ type: 'log', line }),
  report: (rows) => send({ type: 'rows', rows }),
};

addEventListener('message', async ({ data }: MessageEvent<SuiteOptions>) => {
  try {
    await runSuite(data, host);
    send({ type: 'done' });
  } catch (error) {
    send({
      type: 'failed',
      message: error instanceof Error ? (error.stack ?? error.message) : String(error),
    });
  }
});
