/** Runs the suite in Node from its bundle, one process a backend. */
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { BenchBackend } from '../rows';
import type { SuiteOptions } from '../suite';
import { GRACE_SECONDS, type Message } from './message';
import { writeBundle } from './node/bundle';

/** Runs each pass, whose options are asked for when it begins; `receive` gets what they say. Gives Node's name and version. */
export async function runInNode(
  passes: readonly (() => SuiteOptions)[],
  receive: (message: Message, backend: BenchBackend) => void,
): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'mebt-bench-'));
  try {
    const bundle = await writeBundle(folder);
    for (const optionsOf of passes) {
      const options = optionsOf();
      await runOne(bundle, options, (message) => receive(message, options.backend));
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  return `Node ${process.version}`;
}

/** Lines that are no messages of ours (a library's) are dropped. */
async function runOne(
  bundle: string,
  options: SuiteOptions,
  receive: (message: Message) => void,
): Promise<void> {
  const child = spawn(process.execPath, [bundle, JSON.stringify(options)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const { seconds } = options.limits;
  const overtime =
    seconds === null ? undefined : setTimeout(() => child.kill(), 1000 * (seconds + GRACE_SECONDS));
  const ended = new Promise<number | null>((done) => child.on('close', done));
  let finished = false;
  for await (const line of createInterface({ input: child.stdout })) {
    if (!line.startsWith('{"type":')) continue;
    const message = JSON.parse(line) as Message;
    finished ||= message.type === 'done' || message.type === 'failed';
    receive(message);
  }
  const code = await ended;
  clearTimeout(overtime);
  if (!finished)
    receive({ type: 'failed', message: `the process ended with ${code ?? 'a signal'} before it was done` });
}
