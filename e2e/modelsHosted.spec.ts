/** Models of other sites: what they are comes first, their weights when they are used, and both are verified. */
import type { Page } from '@playwright/test';
import { button, expect, failureLine, generate, open, progress, ready, test } from './driver';
import { missing, shardRequests } from './faults';
import { dialog, QUICK, row } from './modelsDialog';

/** Fulfils `https://models.example/tiny/` with the tiny model; `change` may spoil its manifest. */
async function hostTiny(
  page: Page,
  baseURL: string | undefined,
  change: (manifest: string) => string = (text) => text,
): Promise<string> {
  await page.route('https://models.example/**', async (route) => {
    const name = new URL(route.request().url()).pathname.split('/').at(-1) ?? '';
    const served = await fetch(new URL(`weights/tiny/${name}`, baseURL));
    const bytes = Buffer.from(await served.arrayBuffer());
    const body = name.endsWith('.json') ? change(bytes.toString()) : bytes;
    await route.fulfill({ body, headers: { 'access-control-allow-origin': '*' } });
  });
  return 'https://models.example/tiny/manifest.json';
}

test('a hosted model is verified, its licence is shown, and a manifest that was changed is refused', async ({
  page,
  baseURL,
}) => {
  let change = (text: string) => text;
  const model = await hostTiny(page, baseURL, (text) => change(text));
  const hosted = { ...QUICK, frames: 16, model };
  await open(page, hosted);
  await ready(page);
  await expect(page.getByText(/^Licence: /)).toBeVisible();
  await button(page, 'Models').click();
  await expect(row(page, 'models.example')).toContainText('in use');
  change = (text) => text.replace('"license": "', '"license": "Public domain. ');
  await open(page, { ...hosted, seed: 4 });
  await expect(failureLine(page)).toContainText(/changed or cut/);
});

test('a hosted model is looked up without its weights, then used', async ({ page, context, baseURL }) => {
  const address = await hostTiny(page, baseURL);
  await open(page, QUICK);
  await ready(page);
  // The same shards are kept already, under the same hashes.
  await page.evaluate(() => caches.delete('mebt-weights-1'));
  const shards = shardRequests(context);
  await button(page, 'Models').click();
  const field = page.getByLabel('Hosted model');
  await field.fill('ftp://example.org/manifest.json');
  await button(page, 'Look up').click();
  await expect(dialog(page).getByRole('alert')).toContainText(/not the address of a manifest/);
  await field.fill('https://models.example/nothing/');
  await page.route('https://models.example/nothing/*', missing);
  await field.press('Enter');
  await expect(row(page, 'models.example/nothing').getByRole('alert')).toContainText(/404|could not/i);
  await field.fill(address);
  await field.press('Enter');
  const found = row(page, address);
  await expect(found).toContainText(/kB · \d+ k parameters · 32 frames · 16 × 16/);
  await expect(found).toContainText('Licence: ');
  expect(shards).toEqual([]);
  await found.getByRole('button', { name: /^Use/ }).click();
  await expect(dialog(page)).toBeHidden();
  expect(shards.length).toBeGreaterThan(0);
  await expect(page).toHaveURL(/models\.example/);
  await generate(page);
});

test('the hosted model of the address is described while its weights are on their way', async ({
  page,
  baseURL,
}) => {
  const model = await hostTiny(page, baseURL);
  let release = () => {};
  const gate = new Promise<void>((resolve) => {
    release = resolve;
  });
  await page.route('https://models.example/**/*.bin', async (route) => {
    await gate;
    await route.fallback();
  });
  await open(page, { ...QUICK, model });
  await expect(progress(page, 'Loading weights')).toBeVisible();
  await button(page, 'Models').click();
  await expect(row(page, 'models.example')).toContainText(/32 frames/);
  await expect(row(page, 'models.example')).not.toContainText('in use');
  release();
  await expect(row(page, 'models.example')).toContainText('in use');
});
