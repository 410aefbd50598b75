/** A conversion beside other work: a generation in the same tab, and another tab with the same library. */
import type { Page } from '@playwright/test';
import { checkpoint } from './checkpoint';
import {
  button,
  expect,
  failureLine,
  finished,
  generate,
  open,
  ready,
  setSlider,
  slider,
  test,
} from './driver';
import { patchWorker } from './faults';
import { converting, convertTo, dialog, QUICK, SLOW_FILES, storedNames } from './modelsDialog';

const engineWorkers = (page: Page) =>
  page.workers().filter((worker) => /\/assets\/worker-/.test(worker.url())).length;

test('a clip is made while a checkpoint is converted, by a worker of its own, and Stop still works', async ({
  page,
}) => {
  await patchWorker(page, SLOW_FILES);
  await open(page, QUICK);
  await ready(page);
  expect(engineWorkers(page)).toBe(1);
  await button(page, 'Models').click();
  await page.getByLabel('Checkpoint files').setInputFiles(await checkpoint('large.ckpt'));
  await convertTo(page, /^float32/);
  await expect(converting(page)).toBeVisible();
  await expect.poll(() => engineWorkers(page)).toBe(2);
  await page.keyboard.press('Escape');
  await button(page, 'Generate').click();
  await expect(page.getByRole('button', { name: /^Models, converting \d+ %/ })).toBeVisible();
  await finished(page);
  await page.getByRole('button', { name: /^Models/ }).click();
  await dialog(page).getByRole('button', { name: 'Stop', exact: true }).click();
  await expect(dialog(page).getByText(/Stopped. Nothing of it was kept/)).toBeVisible();
  await expect.poll(() => engineWorkers(page)).toBe(1);
  expect(await storedNames(page)).toEqual([]);
});

test('two tabs share the kept models: one converts at a time, and neither spoils the other’s', async ({
  page,
  context,
}) => {
  const other = await context.newPage();
  for (const tab of [page, other]) {
    await patchWorker(tab, SLOW_FILES);
    await open(tab, QUICK);
    await ready(tab);
    await button(tab, 'Models').click();
    await tab.getByLabel('Checkpoint files').setInputFiles(await checkpoint('shared.ckpt'));
  }
  await convertTo(page, /^int8/);
  await expect.poll(async () => (await storedNames(page)).length).toBeGreaterThan(0);
  await convertTo(other, /^int8/);
  await expect(dialog(other).getByRole('alert')).toContainText(/Another tab of this browser is converting/);
  await button(other, 'Dismiss').click();
  await expect(dialog(page).getByText(/shared is converted and kept/)).toBeVisible({ timeout: 120_000 });

  await button(other, 'Close').click();
  await button(other, 'Models').click();
  await button(other, 'Use shared').click();
  await expect(dialog(other)).toBeHidden({ timeout: 60_000 });
  await button(page, 'Remove shared').click();
  await expect(dialog(page).getByText(/shared is removed/)).toBeVisible();
  expect(await storedNames(page)).toEqual([]);
  // What is loaded goes on; what is gone is said when it is asked for again.
  await setSlider(slider(other, 'Steps'), 4);
  await generate(other);
  await other.reload();
  await expect(failureLine(other)).toContainText(/not on this machine/);
  await button(other, 'Use the page’s own model').click();
  await ready(other);
});
