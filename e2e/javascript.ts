/** How much JavaScript the page and its worker load before the model: measured on what is really asked for. */
import { readFileSync } from 'node:fs';
import { basename, resolve } from 'node:path';
import { gzipSync } from 'node:zlib';
import type { Page, Request } from '@playwright/test';
import { expect, open, ready } from './driver';

/** Bytes after gzip, as a static host sends them. */
const BUDGET = 250_000;

const gzipBytes = (file: string) =>
  gzipSync(readFileSync(resolve(import.meta.dirname, '../dist/assets', file)), { level: 9 }).length;

/**
 * Keeps the page from asking, as soon as the model is there, which files the browser can write, so that every script
 * that is seen came before. Clocks could not tell: the page's and the browser's drift apart by milliseconds.
 */
async function askNothingMore(page: Page): Promise<void> {
  await page.addInitScript(() => {
    window.Worker = class extends Worker {
      override postMessage(message: { type?: string }): void {
        if (message.type !== 'formats') super.postMessage(message);
      }
    };
  });
}

/** Opens the page on this backend and expects its scripts to stay within the budget. */
export async function expectWithinBudget(page: Page, backend: 'wasm' | 'webgpu'): Promise<void> {
  const scripts: Request[] = [];
  page.context().on('request', (request) => {
    const { protocol, pathname } = new URL(request.url());
    if (protocol.startsWith('http') && pathname.endsWith('.js')) scripts.push(request);
  });
  await askNothingMore(page);
  await open(page, { backend });
  await ready(page);
  const names = new Set(scripts.map((request) => basename(new URL(request.url()).pathname)));
  const sizes = [...names].map((name) => ({ name, bytes: gzipBytes(name) }));
  const total = sizes.reduce((sum, { bytes }) => sum + bytes, 0);
  console.log(`JavaScript before the model, ${backend}: ${(total / 1000).toFixed(1)} kB gzip`);
  for (const { name, bytes } of sizes) console.log(`  ${(bytes / 1000).toFixed(1).padStart(6)} kB  ${name}`);
  expect(
    sizes.some(({ name }) => name.startsWith('worker')),
    'the worker script was seen',
  ).toBe(true);
  expect(total).toBeLessThan(BUDGET);
}
