/** The fuzz test's worker: runs one kind after the other as it is told, and notes which mutant is under way. */
import { parentPort, workerData } from 'node:worker_threads';
import { openTorchFile } from '../../checkpoint';
import { microFiles } from '../microFiles';
import { counter, memorySource } from './checks';
import { KINDS } from './kinds';
import type { Answer, Order } from './watchdog';

const { progress } = workerData as { progress: Int32Array };
const files = await microFiles();
await openTorchFile(memorySource(files.zip)); // tables that are made once
counter.install();

async function run({ kind, seed, runs }: Order): Promise<Answer> {
  const outcomes = { refused: 0, read: 0 };
  Atomics.store(progress, 0, -1);
  try {
    await KINDS[kind](files, {
      seed,
      runs,
      onMutant: () => void Atomics.add(progress, 0, 1),
      onOutcome: (outcome) => {
        outcomes[outcome] += 1;
      },
    });
    return { ...outcomes, failure: null };
  } catch (error) {
    return { ...outcomes, failure: error instanceof Error ? error.message : String(error) };
  }
}

parentPort?.on('message', async (order: Order) => parentPort?.postMessage(await run(order)));
parentPort?.postMessage('ready');
