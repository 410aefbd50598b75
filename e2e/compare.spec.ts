/** The dialog `Compare`: three families of transformers measured on this device, within a budget of time. */
import AxeBuilder from '@axe-core/playwright';
import type { Page } from '@playwright/test';
import { button, expect, generate, open, ready, test } from './driver';

/** Threads that wait for one another on a busy machine measure the machine. */
const ONE_THREAD = { backend: 'wasm', threads: 1, frames: 16, steps: 4 } as const;

const dialog = (page: Page) => page.getByRole('dialog', { name: 'Cost against length' });
const says = (page: Page) => dialog(page).getByRole('status');
const overflow = (page: Page) =>
  page.evaluate(() => ({
    x: document.documentElement.scrollWidth - document.documentElement.clientWidth,
    y: document.documentElement.scrollHeight - document.documentElement.clientHeight,
  }));

async function openDialog(page: Page): Promise<void> {
  await open(page, ONE_THREAD);
  await ready(page);
  await button(page, 'Compare').click();
  await expect(button(page, 'Run')).toBeEnabled();
}

test('Run measures all three families, draws them and states the exponents; the page stays free', async ({
  page,
}) => {
  await openDialog(page);
  await button(page, 'Run').click();
  await expect(dialog(page).getByRole('progressbar', { name: 'Measuring' })).toBeVisible();
  await expect(says(page)).toHaveText('Measured.', { timeout: 300_000 });
  await expect(dialog(page).getByText(/On this device time grew with the number of tokens N as/)).toHaveText(
    /N-?\d\.\d\d for MeBT \(from [\d,]+ to [\d,]+ tokens\).*N-?\d\.\d\d for dense.*N-?\d\.\d\d for autoregressive/,
  );
  await expect(dialog(page).locator('.plot canvas')).toHaveCount(2);
  const row = dialog(page).getByRole('row', { name: /^256/ });
  await expect(row.getByRole('cell')).toHaveText([
    /^[\d.,]+ (ms|s)$/,
    /^[\d.,]+ [kM]B$/,
    /^[\d.,]+ (ms|s)$/,
    /^[\d.,]+ [kM]B$/,
    /^≈ [\d.,]+ (ms|s|min)$/,
    /^[\d.,]+ [kM]B$/,
  ]);
  await expect(dialog(page).getByText(/≈ extrapolated from \d+ steps \(256 tokens\)/)).toBeVisible();
});

test('Stop ends it at once, and a clip can be made afterwards', async ({ page }) => {
  await openDialog(page);
  await button(page, 'Run').click();
  await expect(says(page)).toHaveText('Measuring.', { timeout: 60_000 });
  await dialog(page).getByRole('button', { name: 'Stop', exact: true }).click();
  await expect(says(page)).toHaveText('Stopped.');
  await expect(button(page, 'Run')).toBeEnabled();
  await page.keyboard.press('Escape');
  await expect(dialog(page)).toBeHidden();
  await generate(page);
});

test('Escape closes the dialog, stops it, gives the focus back, and leaves a clip under way alone', async ({
  page,
}) => {
  await open(page, { ...ONE_THREAD, frames: 32, steps: 64 });
  await ready(page);
  await button(page, 'Generate').click();
  await button(page, 'Compare').click();
  await button(page, 'Run').click();
  await page.keyboard.press('Escape');
  await expect(dialog(page)).toBeHidden();
  await expect(button(page, 'Compare')).toBeFocused();
  await expect(page.getByRole('status').first()).toHaveText(/32 frames in/, { timeout: 180_000 });
  await button(page, 'Compare').click();
  await expect(says(page)).toHaveText('Stopped.');
});

for (const colorScheme of ['light', 'dark'] as const) {
  for (const viewport of [
    { width: 1366, height: 768 },
    { width: 360, height: 740 },
  ]) {
    test(`axe finds nothing serious and nothing scrolls sideways, ${colorScheme}, ${viewport.width} px`, async ({
      page,
    }) => {
      await page.setViewportSize(viewport);
      await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
      await openDialog(page);
      await button(page, 'Run').click();
      await expect(dialog(page).getByRole('cell').filter({ hasText: 'ms' }).first()).toBeVisible({
        timeout: 60_000,
      });
      const { violations } = await new AxeBuilder({ page }).include('dialog').analyze();
      const serious = violations.filter(({ impact }) => impact === 'serious' || impact === 'critical');
      expect(serious.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(' ')}`)).toEqual([]);
      expect((await overflow(page)).x).toBe(0);
      const box = await dialog(page).evaluate((element) => element.scrollWidth - element.clientWidth);
      expect(box).toBe(0);
      await page.keyboard.press('Escape');
      if (viewport.width > 1000) expect(await overflow(page)).toEqual({ x: 0, y: 0 });
    });
  }
}

test('the plotting library is not fetched before the dialog is opened', async ({ page }) => {
  const scripts: string[] = [];
  page.on('request', (request) => scripts.push(request.url()));
  await open(page, { backend: 'wasm' });
  await ready(page);
  expect(scripts.filter((url) => /Panel/.test(url))).toEqual([]);
  await button(page, 'Compare').click();
  await expect(button(page, 'Run')).toBeEnabled();
  expect(scripts.filter((url) => /Panel.*\.js/.test(url))).toHaveLength(1);
});
