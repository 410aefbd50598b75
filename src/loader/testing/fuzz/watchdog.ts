/**
 * Runs mutants in a thread of their own, which can be ended: one that takes more than its time, or more than its share of
 * the heap, is a finding with a seed, and not the end of the test run.
 */
import { Worker } from 'node:worker_threads';
import type { KindName } from './kindNames';

export interface Order {
  readonly kind: KindName;
  readonly seed: number;
  readonly runs: number;
}

export interface Outcomes {
  readonly refused: number;
  readonly read: number;
}

export interface Answer extends Outcomes {
  readonly failure: string | null;
}

/** Of the processor, for one mutant: a busy machine is no hang. */
const MOST_SECONDS = 2;
/** On the clock, for one that waits for what never comes. */
const MOST_WAITING_SECONDS = 120;
/** What may be alive in the heap at once: the code and fast-check take 24 of them, and the largest file has 4. */
const HEAP_MEGABYTES = 88;
const YOUNG_MEGABYTES = 8;
const LOOK_EVERY_MS = 100;

export class Watchdog {
  /** Number of the mutant that is under way. */
  private readonly progress = new Int32Array(new SharedArrayBuffer(4));
  private worker: Promise<Worker> | null = null;

  /** @throws Error that names the kind, the seed and the mutant */
  async run(order: Order): Promise<Outcomes> {
    this.worker ??= this.start();
    const worker = await this.worker;
    const { failure, ...outcomes } = await this.watch(worker, order);
    if (failure === null) return outcomes;
    await this.close();
    const { kind, seed } = order;
    const mutant = Atomics.load(this.progress, 0);
    throw new Error(`"${kind}", seed ${seed}, mutant ${mutant} (fast-check's path): ${failure}`);
  }

  async close(): Promise<void> {
    const worker = await this.worker;
    this.worker = null;
    await worker?.terminate();
  }

  private watch(worker: Worker, order: Order): Promise<Answer> {
    return new Promise((resolve) => {
      const timer = setInterval(look, LOOK_EVERY_MS, this.progress);
      const end = (answer: Answer) => {
        clearInterval(timer);
        worker.off('message', end).off('error', failed).off('exit', ended);
        resolve(answer);
      };
      const fail = (failure: string) => end({ refused: 0, read: 0, failure });
      const failed = (error: unknown) => fail(String(error));
      const ended = () => fail('the worker ended without an answer');
      let last = { mutant: -1, processor: process.cpuUsage(), clock: performance.now() };
      function look(progress: Int32Array): void {
        const mutant = Atomics.load(progress, 0);
        const [processor, clock] = [process.cpuUsage(), performance.now()];
        if (mutant !== last.mutant) last = { mutant, processor, clock };
        const { user, system } = process.cpuUsage(last.processor);
        const [used, waited] = [(user + system) / 1e6, (clock - last.clock) / 1000];
        if (used > MOST_SECONDS) fail(`it took more than ${MOST_SECONDS} s of processor time and was ended`);
        else if (waited > MOST_WAITING_SECONDS) fail(`it was waited for, for ${MOST_WAITING_SECONDS} s`);
      }
      worker.once('message', end).once('error', failed).once('exit', ended);
      worker.postMessage(order);
    });
  }

  private async start(): Promise<Worker> {
    const worker = new Worker(new URL('start.mjs', import.meta.url), {
      workerData: { progress: this.progress },
      resourceLimits: { maxOldGenerationSizeMb: HEAP_MEGABYTES, maxYoungGenerationSizeMb: YOUNG_MEGABYTES },
    });
    await new Promise((resolve, reject) => {
      worker.once('error', reject).once('message', () => {
        worker.off('error', reject);
        resolve(null);
      });
    });
    return worker;
  }
}
