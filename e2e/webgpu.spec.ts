/** Generation on WebGPU, on a software adapter: slow, so with a tiny model only. */
import { WEBGPU_BROWSER } from './chromium';
import {
  button,
  expect,
  expectEveryStepShown,
  failureLine,
  generate,
  open,
  ready,
  test,
  watchEngine,
} from './driver';
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

test('when the graphics process dies the page says so, and the next Generate works', async ({
  page,
  context,
}) => {
  const engine = await watchEngine(page);
  await open(page, { backend: 'webgpu', frames: 16, steps: 4, seed: 1 });
  await generate(page);
  const crash = await context.newPage();
  await crash.goto('chrome://gpucrash').catch(() => undefined); // The navigation itself never commits.
  await crash.close();
  await page.waitForTimeout(2000);
  await button(page, 'Generate').click();
  // The engine may have learnt of the loss before, and have a new device already.
  const ended = failureLine(page).or(page.getByText(/\d+ frames in /));
  await expect(ended.first()).toBeVisible({ timeout: 180_000 });
  await generate(page);
  const { clips } = await engine();
  expect(new Set(clips).size, 'the same seed gives the same clip on the new device').toBe(1);
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
