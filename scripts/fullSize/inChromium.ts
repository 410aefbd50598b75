/**
 * The conversion in the built page, as a visitor does it: Models, the file, Convert. The profile is a real one on the
 * disk: a private window would keep the page's files in memory.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { type BrowserContext, chromium, type Page } from '@playwright/test';
import { preview } from 'vite';
import { PLAIN_BROWSER } from '../../e2e/chromium';
import { button } from '../../e2e/driver';
import type { Quantization } from '../../src/loader/convert';
import { canMeasure, costsOf, descendants, type ProcessCost, resetPeaks } from './processes';
import type { ConversionRow } from './table';

const ROOT = join(import.meta.dirname, '../..');
const HOUR = 3_600_000;

/** @throws when dist/ is missing, or the model that the page kept is not what its manifest says */
export async function convertInChromium(
  checkpoint: string,
  quantizations: readonly Quantization[],
): Promise<ConversionRow[]> {
  const profile = mkdtempSync(join(tmpdir(), 'mebt-full-size-'));
  const server = await preview({ root: ROOT, preview: { port: 0 }, logLevel: 'warn' });
  let context: BrowserContext | undefined;
  try {
    const address = server.resolvedUrls?.local[0];
    if (!address) throw new Error('The page has no address.');
    context = await chromium.launchPersistentContext(profile, {
      ...PLAIN_BROWSER,
      reducedMotion: 'reduce', // without a graphics card what moves is painted by the processor
    });
    context.setDefaultTimeout(HOUR);
    const version = `Chromium ${context.browser()?.version() ?? ''}`.trim();
    // tsx marks functions by a helper of its own, which what runs in the page then asks for.
    await context.addInitScript('globalThis.__name = (marked) => marked');
    const page = context.pages()[0] ?? (await context.newPage());
    await page.goto(`${address}?start=no&backend=wasm`);
    await button(page, 'Models').click();
    const rows: ConversionRow[] = [];
    for (const quantization of quantizations) {
      rows.push({ runtime: version, ...(await convertOnce(page, checkpoint, quantization)) });
    }
    return rows;
  } finally {
    await context?.close();
    await server.close();
    rmSync(profile, { recursive: true, force: true });
  }
}

async function convertOnce(
  page: Page,
  checkpoint: string,
  quantization: Quantization,
): Promise<Omit<ConversionRow, 'runtime'>> {
  const dialog = page.getByRole('dialog', { name: 'Models' });
  await page.getByLabel('Checkpoint files').setInputFiles(checkpoint); // its path: the browser reads it by slices
  await page.getByRole('radio', { name: quantization }).check();
  await page.getByLabel('Name', { exact: true }).fill('official');
  const processes = canMeasure() ? descendants() : [];
  resetPeaks(processes);
  const before = costsOf(processes);
  const began = performance.now();
  await button(page, 'Convert').click();
  const done = dialog.getByText(/is converted and kept/);
  await done.or(dialog.getByRole('alert')).first().waitFor();
  const seconds = (performance.now() - began) / 1000;
  const after = costsOf(processes);
  if (!(await done.isVisible())) {
    throw new Error(`${basename(checkpoint)}: ${await dialog.getByRole('alert').innerText()}`);
  }
  await dialog.getByRole('listitem').filter({ hasText: 'official' }).first().waitFor();
  const kept = await verifyKept(page);
  await button(page, 'Remove official').click();
  await dialog.getByText(/is removed/).waitFor();
  return { quantization, seconds, processes: busiest(before, after), ...kept };
}

/** The page's renderer, in which its worker runs, and the busiest processes of every other kind. */
function busiest(
  before: ReadonlyMap<number, ProcessCost>,
  after: ReadonlyMap<number, ProcessCost>,
): ProcessCost[] {
  const costs = Array.from(after, ([pid, cost]) => ({
    ...cost,
    processorSeconds: cost.processorSeconds - (before.get(pid)?.processorSeconds ?? 0),
  })).sort((a, b) => b.processorSeconds - a.processorSeconds);
  const kinds = new Map([...costs].reverse().map((cost) => [cost.kind, cost]));
  const first = kinds.get('renderer');
  kinds.delete('renderer');
  const others = [...kinds.values()].filter(({ processorSeconds }) => processorSeconds >= LEAST_SECONDS);
  return [...(first ? [first] : []), ...others];
}

/** What took less of the processor is not told. */
const LEAST_SECONDS = 1;

/** Reads every shard of the one kept model back and holds it against its hash. */
function verifyKept(page: Page): Promise<{ modelBytes: number; hash: string }> {
  return page.evaluate(async () => {
    const root = await navigator.storage.getDirectory();
    const library = await root.getDirectoryHandle('mebt-models');
    const names: string[] = [];
    for await (const name of (library as unknown as { keys(): AsyncIterable<string> }).keys())
      names.push(name);
    const [record, ...others] = names.filter((name) => name.endsWith('.json'));
    if (!record || others.length > 0) throw new Error(`One kept model was expected: ${names.join(', ')}`);
    const textOf = async (folder: FileSystemDirectoryHandle, name: string): Promise<string> =>
      (await (await folder.getFileHandle(name)).getFile()).text();
    const { folder: name } = JSON.parse(await textOf(library, record)) as { folder: string };
    const folder = await library.getDirectoryHandle(name);
    const manifest = JSON.parse(await textOf(folder, 'manifest.json')) as {
      sha256: string;
      shards: { file: string; bytes: number; sha256: string }[];
    };
    let modelBytes = 0;
    for (const shard of manifest.shards) {
      const file = await (await folder.getFileHandle(shard.file)).getFile();
      const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', await file.arrayBuffer()));
      const hash = Array.from(digest, (byte) => byte.toString(16).padStart(2, '0')).join('');
      if (hash !== shard.sha256 || file.size !== shard.bytes) throw new Error(`${shard.file} is damaged`);
      modelBytes += file.size;
    }
    if (record !== `${manifest.sha256}.json`) throw new Error('the record names another manifest');
    return { modelBytes, hash: manifest.sha256 };
  });
}
