/** Generation on each backend, the live preview, Stop, seeds and the link that recalls everything. */
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import {
  button,
  canvasHash,
  clipHashes,
  expect,
  failureLine,
  finished,
  generate,
  generatedVideo,
  livePreview,
  open,
  openAdvanced,
  positionOf,
  ready,
  SKY,
  setSlider,
  slider,
  statusLine,
  TINY,
  test,
  watchPreview,
} from './driver';

const skyIsBuilt = existsSync(resolve(import.meta.dirname, '../dist', SKY));

const CASES = [
  {
    name: 'a tiny model on WebGPU',
    query: { model: TINY, backend: 'webgpu', frames: 16, steps: 4, seed: 1 },
  },
  {
    name: 'a tiny model on WebAssembly',
    query: { model: TINY, backend: 'wasm', frames: 16, steps: 8, seed: 1 },
  },
  { name: 'sky-64 on WebAssembly', query: { model: SKY, backend: 'wasm', frames: 16, steps: 6, seed: 1 } },
];

for (const { name, query } of CASES) {
  test(`${name} makes a clip and shows every step of it`, async ({ page }) => {
    test.skip(query.model === SKY && !skyIsBuilt, 'weights/sky-64 is not built');
    const looks = await watchPreview(page);
    await open(page, query);
    await generate(page);
    await expect(page.getByText(new RegExp(`\\b${query.backend}\\b`, 'i')).first()).toBeVisible();

    const frame = slider(page, 'Frame');
    const frames = Number(await frame.getAttribute('max')) - Number(await frame.getAttribute('min')) + 1;
    expect(frames).toBe(query.frames);
    expect(new Set(await clipHashes(page)).size, 'the clip moves').toBeGreaterThan(1);

    const seen = await looks();
    expect(seen.map(({ step }) => step)).toEqual(
      Array.from({ length: seen[0]?.steps ?? 0 }, (_, i) => i + 1),
    );
    expect(seen.length).toBeGreaterThanOrEqual(4);
    const unchanged = seen.filter(({ hash }, i) => hash === seen[i - 1]?.hash).map(({ step }) => step);
    expect(unchanged, 'steps after which the live preview looked the same').toEqual([]);
  });
}

test('a software WebGPU adapter counts as no GPU, and the page says why it uses wasm', async ({ page }) => {
  await open(page);
  await ready(page);
  await expect(page.getByText(/wasm, \d+ thread/)).toBeVisible();
});

test('the first clip starts by itself unless the link says no', async ({ page }) => {
  await open(page, { start: 'yes', frames: 16, steps: 4 });
  await finished(page);
});

test('Stop ends a generation within one step, and Generate works afterwards', async ({ page }) => {
  const model = skyIsBuilt ? SKY : TINY;
  const looks = await watchPreview(page);
  await open(page, { model, backend: 'wasm', frames: 32, steps: 32 });
  await ready(page);
  await button(page, 'Generate').click();
  const step = () => page.getByText(/step \d+ of/).textContent();
  await expect.poll(async () => Number((await step())?.match(/step (\d+)/)?.[1])).toBeGreaterThanOrEqual(2);
  await button(page, 'Stop').click();
  await expect(statusLine(page)).toHaveText(/^Stopped after step \d+ of \d+/);
  await expect(button(page, 'Generate')).toBeEnabled();
  const reported = (await looks()).length;
  await page.waitForTimeout(3000);
  expect((await looks()).length - reported, 'steps that the engine still made').toBeLessThanOrEqual(1);
  await setSlider(slider(page, 'Steps'), 'min');
  await setSlider(slider(page, 'Length'), 'min');
  await generate(page);
});

test('a seed gives the same pixels again, and another seed gives others', async ({ page }) => {
  await open(page, { backend: 'wasm', frames: 16, steps: 6, seed: 42 });
  await generate(page);
  const first = await clipHashes(page);
  await generate(page);
  expect(await clipHashes(page)).toEqual(first);

  await page.getByRole('textbox', { name: 'Seed' }).fill('43');
  await generate(page);
  expect(await clipHashes(page)).not.toEqual(first);

  await button(page, 'New seed').click();
  await expect(page.getByRole('textbox', { name: 'Seed' })).not.toHaveValue('43');
});

test('a seed gives the same pixels in a fresh visit to the same link', async ({ page, browser }) => {
  await open(page, { backend: 'wasm', frames: 16, steps: 6, seed: 4_000_000_000 });
  await generate(page);
  const first = await clipHashes(page);
  const context = await browser.newContext({ reducedMotion: 'reduce', viewport: page.viewportSize() });
  const other = await context.newPage();
  await other.goto(page.url());
  await generate(other);
  expect(await clipHashes(other)).toEqual(first);
  await context.close();
});

test('the link recalls every setting', async ({ page, browser }) => {
  await open(page, { backend: 'wasm' });
  await ready(page);
  await openAdvanced(page);
  const wanted: [string, number | 'min' | 'max'][] = [
    ['Steps', 9],
    ['Length', 'min'],
    ['Temperature', 0.8],
    ['Choice temperature', 7.5],
    ['Top-k', 3],
    ['Revise passes', 1],
  ];
  for (const [name, value] of wanted) await setSlider(slider(page, name), value);
  await page.getByRole('combobox', { name: 'Schedule' }).selectOption('sqrt');
  await page.getByRole('textbox', { name: 'Seed' }).fill('123456');
  await page.getByRole('textbox', { name: 'Seed' }).press('Tab');
  await expect.poll(() => page.url()).toContain('seed=123456');
  await expect.poll(() => page.url()).toContain('sqrt');
  const values = await Promise.all(wanted.map(([name]) => positionOf(slider(page, name))));

  const context = await browser.newContext();
  const other = await context.newPage();
  await other.goto(page.url());
  await ready(other);
  await openAdvanced(other);
  expect(await Promise.all(wanted.map(([name]) => positionOf(slider(other, name))))).toEqual(values);
  await expect(other.getByRole('combobox', { name: 'Schedule' })).toHaveValue('sqrt');
  await expect(other.getByRole('textbox', { name: 'Seed' })).toHaveValue('123456');
  await context.close();
});

for (const end of ['min', 'max'] as const) {
  test(`every slider at its ${end} still makes a clip`, async ({ page }) => {
    await open(page, { backend: 'wasm' });
    await ready(page);
    await openAdvanced(page);
    const names = ['Steps', 'Length', 'Temperature', 'Choice temperature', 'Top-k', 'Revise passes'];
    for (const name of names) await setSlider(slider(page, name), end);
    await generate(page, 110_000);
    await expect(failureLine(page)).toHaveCount(0);
    expect((await clipHashes(page)).length).toBe(3);
  });
}

test('Frame shows that frame, Play moves it on and Pause holds it', async ({ page }) => {
  await open(page, { backend: 'wasm', frames: 16, steps: 4 });
  await generate(page);
  await clipHashes(page);
  const frame = slider(page, 'Frame');
  await setSlider(frame, 'min');
  const still = await canvasHash(generatedVideo(page));
  expect(await canvasHash(generatedVideo(page))).toBe(still);
  await button(page, 'Play').click();
  await expect.poll(() => positionOf(frame)).toBeGreaterThan(2);
  await button(page, 'Pause').click();
  const held = await positionOf(frame);
  expect(await canvasHash(generatedVideo(page))).not.toBe(still);
  expect(await positionOf(frame)).toBe(held);
});

test('the preview and the finished clip are named for assistive technology', async ({ page }) => {
  await open(page, { backend: 'wasm', frames: 16, steps: 4 });
  await ready(page);
  await expect(livePreview(page)).toBeAttached();
  await generate(page);
  await expect(page.getByRole('img', { name: 'Generated video' })).toBeVisible();
});
