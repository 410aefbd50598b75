/** Faults that the tests inject between the page and the server. */
import type { BrowserContext, Page, Route } from '@playwright/test';

export const SHARDS = '**/weights/tiny/*.bin';
export const MANIFEST = '**/weights/tiny/manifest.json';

/** Runs `code` at the start of the page's engine worker, before anything of its own. */
export async function patchWorker(page: Page, code: string): Promise<void> {
  await page.route('**/assets/worker-*.js', async (route) => {
    const response = await route.fetch();
    await route.fulfill({ response, body: `${code}\n${await response.text()}` });
  });
}

export const missing = (route: Route) => route.fulfill({ status: 404, body: 'Not found' });

export const htmlPage = (route: Route) =>
  route.fulfill({
    status: 200,
    contentType: 'text/html',
    body: '<!doctype html><title>Welcome</title>Sign in',
  });

async function changed(route: Route, change: (body: Buffer) => Buffer): Promise<void> {
  const response = await route.fetch();
  const body = change(await response.body());
  const headers = { ...response.headers(), 'content-length': String(body.length) };
  await route.fulfill({ response, headers, body });
}

export const truncated = (route: Route) => changed(route, (body) => body.subarray(0, body.length >> 1));

export const bitFlipped = (route: Route) =>
  changed(route, (body) => {
    const flipped = Buffer.from(body);
    flipped[flipped.length >> 1] = (flipped[flipped.length >> 1] ?? 0) ^ 1;
    return flipped;
  });

/** Addresses of shards that are asked of the network from now on. */
export function shardRequests(context: BrowserContext): string[] {
  const urls: string[] = [];
  context.on('request', (request) => {
    if (request.url().endsWith('.bin')) urls.push(request.url());
  });
  return urls;
}
