/** The conversion by the command line, as a process of its own. */
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Quantization } from '../../src/loader/convert';
import { bytesOf, parseManifest } from '../../src/loader/manifest';
import type { ConversionRow } from './table';

const ROOT = join(import.meta.dirname, '../..');
/** As `npm run convert` ends. */
const COST = /^([\d.]+) s, ([\d.]+) s of processor time, (\d+) MB resident at most$/m;

/** @param out folder that the model is written to */
export async function convertInNode(
  checkpoint: string,
  quantization: Quantization,
  out: string,
): Promise<ConversionRow> {
  const options = ['--transformer', checkpoint, '--quantize', quantization, '--out', out, '--force'];
  const output = await run(['scripts/convert.ts', ...options, '--name', 'official']);
  const [, wall, processor, resident] = COST.exec(output) ?? [];
  if (!wall || !processor || !resident)
    throw new Error(`npm run convert said nothing of its cost:\n${output}`);
  const manifest = await parseManifest(readFileSync(join(out, 'manifest.json'), 'utf8'), out);
  return {
    runtime: `Node ${process.versions.node}`,
    quantization,
    seconds: Number(wall),
    processes: [{ kind: 'process', peakBytes: 1e6 * Number(resident), processorSeconds: Number(processor) }],
    modelBytes: bytesOf(manifest),
    hash: manifest.sha256,
  };
}

function run(args: readonly string[]): Promise<string> {
  return new Promise((done, fail) => {
    const child = spawn(process.execPath, ['--import', 'tsx', ...args], {
      cwd: ROOT,
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let output = '';
    child.stdout.on('data', (chunk: Buffer) => {
      output += chunk.toString();
    });
    child.on('error', fail);
    child.on('close', (status) =>
      status === 0 ? done(output) : fail(new Error(`npm run convert ended with ${status}.`)),
    );
  });
}
