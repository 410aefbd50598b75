/** What goes wrong on the way of the weights, and in the browser: each gives a sentence, and Retry where it helps. */
import type { Page, Route } from '@playwright/test';
import {
  button,
  clipPictures,
  difference,
  expect,
  failureLine,
  generate,
  open,
  ready,
  SAME_PICTURE,
  test,
  watchEngine,
} from './driver';
import {
  bitFlipped,
  htmlPage,
  MANIFEST,
  missing,
  patchWorker,
  SHARDS,
  shardRequests,
  truncated,
} from './faults';

/** The failure is a sentence for a person: not empty, ends as a sentence, no stack and no raw type names. */
async function expectSentence(page: Page): Promise<string> {
  await expect(failureLine(page)).toBeVisible({ timeout: 30_000 });
  const text = ((await failureLine(page).textContent()) ?? '').trim();
  expect(text.length).toBeGreaterThan(20);
  expect(text).toMatch(/[.!]/);
  expect(text).not.toMatch(/\[object|undefined|NaN|TypeError|\bat .*:\d+:\d+/);
  return text;
}

const SHARD_FAULTS: [string, (route: Route) => Promise<void>][] = [
  ['is missing', missing],
  ['is truncated', truncated],
  ['has one bit flipped', bitFlipped],
  ['is an HTML page', htmlPage],
];

for (const [what, fault] of SHARD_FAULTS) {
  test(`a shard that ${what} is reported, not cached, and Retry mends it`, async ({ page }) => {
    await page.route(SHARDS, fault);
    await open(page, { backend: 'wasm', frames: 16, steps: 4 });
    await expectSentence(page);
    await expect(button(page, 'Retry')).toBeVisible();
    await page.unroute(SHARDS);
    await button(page, 'Retry').click();
    await generate(page);
    await expect(failureLine(page)).toHaveCount(0);
  });
}

test('after a fault only the bad shard is fetched again', async ({ page, context }) => {
  const good = new Set<string>();
  let spoiled = '';
  context.on('requestfinished', (request) => {
    if (request.url().endsWith('.bin') && request.url() !== spoiled) good.add(request.url());
  });
  let shards = 0;
  await page.route(MANIFEST, async (route) => {
    const response = await route.fetch();
    shards = ((await response.json()) as { shards: unknown[] }).shards.length;
    await route.fulfill({ response });
  });
  await page.route(SHARDS, async (route) => {
    spoiled ||= route.request().url();
    if (route.request().url() !== spoiled) return route.continue();
    // The bad one comes last, when all the others have been verified and kept.
    await expect.poll(() => good.size).toBe(shards - 1);
    await page.waitForTimeout(1000);
    return bitFlipped(route);
  });
  await open(page, { backend: 'wasm' });
  await expectSentence(page);
  await page.unroute(SHARDS);
  const asked = shardRequests(context);
  await button(page, 'Retry').click();
  await ready(page);
  expect(shards).toBeGreaterThan(1);
  expect(asked).toEqual([spoiled]);
});

test('a manifest of another version is refused with a sentence', async ({ page }) => {
  await page.route(MANIFEST, async (route) => {
    const response = await route.fetch();
    const manifest = (await response.json()) as Record<string, unknown>;
    await route.fulfill({ response, json: { ...manifest, version: 99 } });
  });
  await open(page);
  expect(await expectSentence(page)).toMatch(/version/i);
});

test('an HTML page in place of the manifest is refused with a sentence', async ({ page }) => {
  await page.route(MANIFEST, htmlPage);
  await open(page);
  await expectSentence(page);
});

test('a manifest that is not there is reported and Retry mends it', async ({ page }) => {
  await page.route(MANIFEST, missing);
  await open(page, { backend: 'wasm' });
  await expectSentence(page);
  await page.unroute(MANIFEST);
  await button(page, 'Retry').click();
  await ready(page);
});

test('a second visit loads the weights from the cache and asks the network for none', async ({
  page,
  context,
}) => {
  const engine = await watchEngine(page);
  await open(page, { backend: 'wasm', frames: 16, steps: 4, seed: 5 });
  await generate(page);
  const { clips } = await engine();
  await page.close();

  const asked = shardRequests(context);
  const second = await context.newPage();
  await second.emulateMedia({ reducedMotion: 'reduce' });
  await second.route('**/*.bin', (route) => route.abort('internetdisconnected'));
  const secondEngine = await watchEngine(second);
  await open(second, { backend: 'wasm', frames: 16, steps: 4, seed: 5 });
  await generate(second);
  expect(asked).toEqual([]);
  expect((await secondEngine()).clips).toEqual(clips);
});

test('an offline second visit needs nothing but the page itself', async ({ page, context }) => {
  await open(page, { backend: 'wasm' });
  await ready(page);
  await page.close();
  const second = await context.newPage();
  await second.route(MANIFEST, (route) => route.abort('internetdisconnected'));
  await second.route(SHARDS, (route) => route.abort('internetdisconnected'));
  await open(second, { backend: 'wasm' });
  await ready(second);
});

test('the size is known before the download starts', async ({ page }) => {
  let release = () => {};
  const gate = new Promise<void>((resolve) => {
    release = resolve;
  });
  await page.route(SHARDS, async (route) => {
    await gate;
    await route.continue();
  });
  await open(page, { backend: 'wasm' });
  const bar = page.getByRole('progressbar', { name: 'Loading weights' });
  await expect(bar).toBeVisible();
  await expect(page.getByText(/\d+(\.\d+)? ?[kM]B/).first()).toBeVisible();
  release();
  await ready(page);
});

test('neither WebGPU nor WebAssembly: a sentence says so', async ({ page }) => {
  await patchWorker(
    page,
    "delete self.WebAssembly; Object.defineProperty(WorkerNavigator.prototype, 'gpu', { get: () => undefined });",
  );
  await open(page);
  const text = await expectSentence(page);
  expect(text).toMatch(/WebGPU/);
  expect(text).toMatch(/WebAssembly/);
});

test('a seed that is not a number is explained and the page still works', async ({ page }) => {
  await open(page, { backend: 'wasm', frames: 16, steps: 4, seed: 'blue' });
  await ready(page);
  await expect(page.getByText(/blue/).first()).toBeVisible();
  await generate(page);
});

test('values out of range in the link are explained and replaced', async ({ page }) => {
  await open(page, { backend: 'wasm', frames: 100_000, steps: -3, temperature: 'warm', schedule: 'spiral' });
  await ready(page);
  await expect(page.getByText(/spiral/).first()).toBeVisible();
  await page.getByRole('slider', { name: 'Steps', exact: true }).fill('4');
  await page.getByRole('slider', { name: 'Length', exact: true }).fill('0');
  await generate(page);
});

test('a failed download loses nothing of the clip', async ({ page }) => {
  await page.route(/\/assets\/(encode|gif|webcodecs)-/, (route) => route.abort());
  await open(page, { backend: 'wasm', frames: 16, steps: 4 });
  await generate(page);
  const before = await clipPictures(page);
  await page.getByRole('combobox', { name: 'Format' }).selectOption({ label: 'GIF' });
  await button(page, 'Download').click();
  await expectSentence(page);
  const after = await clipPictures(page);
  before.forEach((picture, i) => {
    expect(difference(picture, after[i] ?? [])).toBeLessThanOrEqual(SAME_PICTURE);
  });
});

test('a program of the page that cannot be fetched is told of at once, and loading again mends it', async ({
  page,
}) => {
  const program = /\/assets\/index-[^/]*\.js$/;
  await page.route(program, missing);
  await open(page);
  const words = page.getByText(/program has not started/);
  await expect.poll(() => words.evaluate((element) => getComputedStyle(element).opacity)).toBe('1');
  await page.unroute(program);
  await page.getByRole('link', { name: 'Load the page again' }).click();
  await ready(page);
  await expect(words).toHaveCount(0);
});
