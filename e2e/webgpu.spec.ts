/** Generation on WebGPU, on a software adapter: slow, so with a tiny model only. */
import { WEBGPU_BROWSER } from './chromium';
import { expect, expectEveryStepShown, open, ready, test, watchEngine } from './driver';
import { expectWithinBudget } from './javascript';

test.use({ launchOptions: WEBGPU_BROWSER });

test('a tiny model on WebGPU makes a clip, the same one twice, and shows every step of it', async ({
  page,
}) => {
  const engine = await watchEngine(page);
  await open(page, { backend: 'webgpu', frames: 16, steps: 4, seed: 1 });
  await ready(page);
  await expectEveryStepShown(page, engine);
  await expect(page.getByText(/webgpu/i).first()).toBeVisible();
  await expectEveryStepShown(page, engine);
  const [first, again] = (await engine()).clips;
  expect(again).toBe(first);
});

test('a software adapter counts as no GPU, and the page says why it uses wasm', async ({ page }) => {
  await open(page);
  await ready(page);
  await expect(page.getByText(/wasm, \d+ thread/)).toBeVisible();
  await expect(page.getByText(/software adapter/)).toBeVisible();
});

test('on WebGPU the page loads less than 250 kB of JavaScript (gzip) before the model', async ({ page }) => {
  await expectWithinBudget(page, 'webgpu');
});
