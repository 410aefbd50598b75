// `npm run convert` as a process: what it prints, its exit codes, and what it leaves on the disk when something is wrong.
import { type ChildProcess, spawn } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parseManifest } from '../src/loader/manifest';
import { transformerAlone, vqganAlone, wholeModel } from '../src/loader/testing/microFiles';
import { type OfficialSizes, TINY_OFFICIAL } from '../src/loader/testing/officialShapes';
import { type SavedValue, torchZip } from '../src/loader/testing/torchWriter';
import { UsageError } from './commandLine';
import { parseCommandLine } from './convertOptions';

const ROOT = join(import.meta.dirname, '..');
/** Starting tsx takes seconds on a busy machine. */
const SLOW = 120_000;

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'mebt-convert-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const at = (name: string): string => join(folder, name);

async function save(name: string, value: SavedValue): Promise<string> {
  writeFileSync(at(name), await torchZip(value));
  return at(name);
}

interface Ended {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** `watch` sees the process as it runs. */
function convert(args: readonly string[], watch?: (child: ChildProcess) => void): Promise<Ended> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, ['--import', 'tsx', 'scripts/convert.ts', ...args], { cwd: ROOT });
    let [stdout, stderr] = ['', ''];
    child.stdout.on('data', (chunk: Buffer) => {
      stdout += chunk.toString();
    });
    child.stderr.on('data', (chunk: Buffer) => {
      stderr += chunk.toString();
    });
    child.on('error', reject);
    child.on('close', (status) => resolve({ status, stdout, stderr }));
    watch?.(child);
  });
}

/** Beyond the largest number that systems give. */
const NO_PROCESS = 2 ** 30;

/** Large enough for a signal to arrive before it is converted: some seconds of arithmetic, 12 MB. */
const LARGER: OfficialSizes = { ...TINY_OFFICIAL, width: 128, codes: 8192, hiddens: 8, codeWidth: 64 };

describe('npm run convert', { timeout: SLOW }, () => {
  it('prints its help, and says where to find it when it is called wrongly', async () => {
    const help = await convert(['--help']);
    expect(help).toMatchObject({ status: 0, stderr: '' });
    expect(help.stdout).toContain('--transformer FILE');
    const nothing = await convert([]);
    expect(nothing).toMatchObject({ status: 2, stdout: '' });
    expect(nothing.stderr).toMatch(/^convert: --transformer names the checkpoint to convert\. --help/);
  });

  it.each([
    [['--transformer', 'a.ckpt', '--quantize', 'int9', '--out', 'x'], /--quantize must be one of int8/],
    [['--transformer', 'a.ckpt', '--quantize', 'int8'], /--out names the folder to write to/],
    [['--transformer', 'a.ckpt', '--out', 'x'], /--quantize must be one of/],
    [
      ['--transformer', 'a.ckpt', '--quantize', 'int8', '--out', 'x', '--grid', '4,0,4'],
      /--grid must be made/,
    ],
    [['--transformer', 'a.ckpt', '--quantize', 'int8', '--out', 'x', '--grids', '4'], /--grids/],
    [['a.ckpt'], /a\.ckpt/],
  ])('refuses %j', (args, message) => {
    expect(() => parseCommandLine(args)).toThrow(UsageError);
    expect(() => parseCommandLine(args)).toThrow(message);
  });

  it('says which file cannot be read and why, with exit code 1, and writes nothing', async () => {
    const missing = await convert(['--transformer', at('no.ckpt'), '--quantize', 'int8', '--out', at('out')]);
    expect(missing.stderr).toMatch(/no\.ckpt/);
    expect(missing.status).toBe(1);
    writeFileSync(at('page.ckpt'), '<!doctype html><title>404</title>'.repeat(9));
    const page = await convert(['--transformer', at('page.ckpt'), '--quantize', 'int8', '--out', at('out')]);
    expect(page.stderr).toMatch(/page\.ckpt cannot be read: it begins like neither a zip archive/);
    expect(page.status).toBe(1);
    expect(readdirSync(folder)).toEqual(['page.ckpt']);
  });

  it('asks for what the files do not say, with exit code 2, and takes it from a VQGAN beside it', async () => {
    const transformer = await save('t.ckpt', transformerAlone(TINY_OFFICIAL));
    const args = ['--transformer', transformer, '--quantize', 'int8', '--out', at('out')];
    const asked = await convert(args);
    expect(asked.stderr).toMatch(/Call again with:\s+--vqgan FILE/);
    expect(asked.status).toBe(2);
    const vqgan = await save('v.ckpt', vqganAlone(TINY_OFFICIAL));
    expect(await convert([...args, '--vqgan', vqgan])).toMatchObject({ status: 0 });
    expect(existsSync(at('out/manifest.json'))).toBe(true);
  });

  it('prints the whole report in a dry run and writes nothing', async () => {
    const transformer = await save('m.ckpt', wholeModel(TINY_OFFICIAL));
    const { status, stdout } = await convert([
      ...['--transformer', transformer, '--quantize', 'int4', '--dry-run', '--out', at('out')],
    ]);
    expect(status).toBe(0);
    expect(stdout).toContain('transformer.blocks.5.contract.weight');
    expect(stdout).toMatch(/relative L2 error of quantization, worst first/);
    expect(stdout).toMatch(/codebook\.N/);
    expect(stdout).toMatch(/s of processor time, \d+ MB resident at most/);
    expect(readdirSync(folder)).toEqual(['m.ckpt']);
  });

  it('writes a model that the loader takes, does not overwrite it, and replaces it when told to', async () => {
    const transformer = await save('m.ckpt', wholeModel(TINY_OFFICIAL));
    const args = [
      '--transformer',
      transformer,
      '--out',
      at('deep/out'),
      '--name',
      'mine',
      '--license',
      'MIT',
    ];
    expect(await convert([...args, '--quantize', 'int8'])).toMatchObject({ status: 0 });
    const text = readFileSync(at('deep/out/manifest.json'), 'utf8');
    expect(await parseManifest(text, 'test')).toMatchObject({ name: 'mine', license: 'MIT' });
    expect(readFileSync(at('deep/out/conversion-report.txt'), 'utf8')).toContain('worst first');
    const again = await convert([...args, '--quantize', 'int4']);
    expect(again.stderr).toMatch(/is there already; --force replaces it/);
    expect(again.status).toBe(2);
    expect(readFileSync(at('deep/out/manifest.json'), 'utf8')).toBe(text);
    expect(await convert([...args, '--quantize', 'int4', '--force'])).toMatchObject({ status: 0 });
    expect(readFileSync(at('deep/out/manifest.json'), 'utf8')).toContain('"int4"');
    expect(readdirSync(at('deep'))).toEqual(['out']);
  });

  it('removes what a killed process began, but nothing of one that runs', async () => {
    const transformer = await save('m.ckpt', wholeModel(TINY_OFFICIAL));
    for (const pid of [NO_PROCESS, process.pid]) mkdirSync(at(`out.partial-${pid}`));
    mkdirSync(at('outer.partial-1'));
    expect(
      await convert(['--transformer', transformer, '--quantize', 'int8', '--out', at('out')]),
    ).toMatchObject({ status: 0 });
    expect(readdirSync(folder).sort()).toEqual([
      'm.ckpt',
      'out',
      `out.partial-${process.pid}`,
      'outer.partial-1',
    ]);
  });

  it('leaves nothing behind when it cannot write, and what was there stays', async () => {
    const transformer = await save('m.ckpt', wholeModel(TINY_OFFICIAL));
    writeFileSync(at('file'), 'mine');
    const args = ['--transformer', transformer, '--quantize', 'int8', '--out'];
    const below = await convert([...args, at('file/out')]); // a file where a folder should be
    expect(below.stderr).toMatch(/^convert: .*file/);
    expect(below.status).toBe(1);
    expect(readFileSync(at('file'), 'utf8')).toBe('mine');
    expect(readdirSync(folder).sort()).toEqual(['file', 'm.ckpt']);
  });

  it.each(['SIGINT', 'SIGTERM'] as const)('interrupted by %s leaves nothing half-made', async (signal) => {
    const transformer = await save('m.ckpt', wholeModel(LARGER));
    mkdirSync(at('models'));
    const { status, stderr } = await convert(
      ['--transformer', transformer, '--quantize', 'int4', '--out', at('models/out')],
      (child) => {
        const timer = setInterval(() => {
          if (readdirSync(at('models')).length === 0) return; // it has not begun to write
          clearInterval(timer);
          child.kill(signal);
        }, 1);
        child.on('close', () => clearInterval(timer));
      },
    );
    expect(stderr).toContain('Interrupted; nothing was left behind.');
    expect(status).toBe(1);
    expect(readdirSync(at('models'))).toEqual([]);
  });
});
