import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { packTinyModel } from '../src/pipeline/testing/tinyModel';
import type { ClipData } from '../src/worker/protocol';
import { ClipFile, npyHeader, withoutAlpha } from './clipFile';
import { UsageError } from './commandLine';
import { parseCommandLine } from './generateOptions';

let folder = '';
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'mebt-clips-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** 2 frames of 1×2 pixels; the first byte of a pixel is its clip's number. */
function clip(number: number, frames = 2): ClipData {
  const pixels = Uint8ClampedArray.from({ length: frames * 8 }, (_, i) =>
    i % 4 === 0 ? number : 100 + (i % 4),
  );
  return { pixels, frames, height: 1, width: 2, frameRate: 16 };
}

describe('ClipFile', () => {
  const extent = [2, 1, 2] as const;
  const facts = (out: string) => JSON.parse(readFileSync(join(out, 'clips.json'), 'utf8')) as unknown;
  const bytes = (out: string) => new Uint8Array(readFileSync(join(out, 'clips.npy')));

  it('is a .npy whose header says type and shape', () => {
    const header = npyHeader([3, 2, 1, 2, 3]);
    expect(header).toHaveLength(128);
    expect([...header.subarray(0, 10)]).toEqual([0x93, 78, 85, 77, 80, 89, 1, 0, 118, 0]);
    const text = Buffer.from(header.subarray(10)).toString('latin1');
    expect(text.trimEnd()).toBe("{'descr': '|u1', 'fortran_order': False, 'shape': (3, 2, 1, 2, 3), }");
    expect(text.endsWith('\n')).toBe(true);
  });

  it('goes on where it stopped, and its count may grow', async () => {
    const out = join(folder, 'grown');
    const first = await ClipFile.open(out, { steps: 4 }, extent, 2);
    await first.write(clip(7), { hour: 'day' });
    await first.close();
    expect(facts(out)).toEqual({ steps: 4, count: 2, finished: 1, scenes: [{ hour: 'day' }] });
    const second = await ClipFile.open(out, { steps: 4 }, extent, 3);
    expect(second.done).toBe(1);
    await second.write(clip(8), { hour: 'night' });
    await second.write(clip(9), { hour: 'day' });
    await expect(second.write(clip(10), null)).rejects.toThrow('all 3 clips are written');
    await second.close();
    const scenes = ['day', 'night', 'day'].map((hour) => ({ hour }));
    expect(facts(out)).toEqual({ steps: 4, count: 3, finished: 3, scenes });
    expect([...bytes(out).subarray(0, 128)]).toEqual([...npyHeader([3, 2, 1, 2, 3])]);
    const pixels = [7, 8, 9].flatMap((n) => [...withoutAlpha(clip(n).pixels)]);
    expect([...bytes(out).subarray(128)]).toEqual(pixels);
  });

  it('refuses clips of other settings and of another size', async () => {
    const out = join(folder, 'other');
    const clips = await ClipFile.open(out, { steps: 4 }, extent, 1);
    await expect(clips.write(clip(1, 3), null)).rejects.toThrow(
      'clips are 2×1×2 (frames, rows, columns), got 3×1×2',
    );
    await clips.close();
    await expect(ClipFile.open(out, { steps: 8 }, extent, 1)).rejects.toThrow('made otherwise: {"steps":4}');
  });
});

describe('command line', () => {
  const needed = ['--model', 'm', '--out', 'o'];

  it('takes settings as numbers and leaves the rest to the model', () => {
    const line = parseCommandLine([...needed, '--steps', '1', '--choice-temperature', '4.5', '--count', '3']);
    expect(line).toMatchObject({ count: 3, settings: { steps: 1, choiceTemperature: 4.5, seed: 0 } });
    expect(line === 'help' || 'topK' in line.settings).toBe(false);
  });

  it.each([
    [['--model', 'm'], '--out names the folder'],
    [[...needed, '--steps', '0'], '--steps must be a whole number from 1 up, got 0'],
    [[...needed, '--top-p', '1.5'], '--top-p must be a number from 0.01 to 1, got 1.5'],
    [[...needed, '--schedule', 'sine'], '--schedule must be one of cosine'],
    [[...needed, '--order', 'raster'], '--order must be one of confidence, spread'],
    [[...needed, '--count', 'all'], '--count must be a whole number from 1 up, got all'],
  ])('refuses %j', (args, message) => {
    expect(() => parseCommandLine(args)).toThrow(UsageError);
    expect(() => parseCommandLine(args)).toThrow(message);
  });
});

describe('npm run generate', () => {
  const run = (out: string, count: string) => {
    const args = ['tsx', resolve(import.meta.dirname, 'generate.ts'), '--model', join(folder, 'tiny')];
    const done = spawnSync('npx', [...args, '--count', count, '--seed', '5', '--steps', '2', '--out', out], {
      encoding: 'utf8',
    });
    expect(done.stderr).not.toContain('generate:');
    expect(done.status).toBe(0);
    return readFileSync(join(out, 'clips.npy'));
  };

  it('gives the same clips for the same seeds, at once or in two parts', { timeout: 120_000 }, () => {
    const { manifest, files } = packTinyModel();
    const tiny = join(folder, 'tiny');
    mkdirSync(tiny, { recursive: true });
    writeFileSync(join(tiny, 'manifest.json'), manifest);
    for (const [name, bytes] of files) writeFileSync(join(tiny, name), bytes);
    const whole = run(join(folder, 'whole'), '2');
    run(join(folder, 'parts'), '1');
    const parts = run(join(folder, 'parts'), '2');
    expect(parts.equals(whole)).toBe(true);
    const half = (whole.length - 128) / 2;
    expect(whole.subarray(128, 128 + half).equals(whole.subarray(128 + half))).toBe(false);
  });
});
