/** Generation on WebAssembly, the live preview, Stop, seeds and the link that recalls everything. */
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import {
  button,
  clipPictures,
  difference,
  expect,
  expectEveryStepShown,
  failureLine,
  finished,
  generate,
  generatedVideo,
  LARGE_SKY,
  livePreview,
  open,
  openAdvanced,
  pictureOf,
  positionOf,
  ready,
  SAME_PICTURE,
  SKY,
  setSlider,
  slider,
  statusLine,
  TINY,
  test,
  watchEngine,
} from './driver';

const isBuilt = (model: string) => existsSync(resolve(import.meta.dirname, '../dist', model));
const skyIsBuilt = isBuilt(SKY);

const CASES = [
  { name: 'a tiny model', query: { model: TINY, backend: 'wasm', frames: 16, steps: 8, seed: 1 } },
  { name: 'sky-64', query: { model: SKY, backend: 'wasm', frames: 16, steps: 6, seed: 1 } },
  { name: 'sky-128', query: { model: LARGE_SKY, backend: 'wasm', frames: 16, steps: 4, seed: 1 } },
];

for (const { name, query } of CASES) {
  test(`${name} on WebAssembly makes a clip and shows every step of it`, async ({ page }) => {
    test.skip(query.model !== TINY && !isBuilt(query.model), `weights/${name} is not built`);
    const engine = await watchEngine(page);
    await open(page, query);
    await ready(page);
    await expectEveryStepShown(page, engine);
    await expect(page.getByText(/wasm, \d+ thread/)).toBeVisible();

    const frame = slider(page, 'Frame');
    const frames = Number(await frame.getAttribute('max')) - Number(await frame.getAttribute('min')) + 1;
    expect(frames).toBe(query.frames);
    const [first = [], middle = []] = await clipPictures(page);
    expect(difference(first, middle), 'the clip moves').toBeGreaterThan(SAME_PICTURE);
  });
}

test('the served page is isolated, so that WebAssembly has threads, as many as the link asks for', async ({
  page,
}) => {
  for (const threads of [2, 3]) {
    await open(page, { backend: 'wasm', threads });
    await generate(page);
    await expect(page.getByText(`wasm, ${threads} threads`)).toBeVisible();
  }
});

test('the first clip starts by itself unless the link says no', async ({ page }) => {
  await open(page, { start: 'yes', frames: 16, steps: 4 });
  await finished(page);
});

test('Stop ends a generation within one step, and Generate works afterwards', async ({ page }) => {
  // The tiny model's steps are over before a click arrives, so that it may be a few steps ahead.
  const [model, stepsAhead] = skyIsBuilt ? [SKY, 1] : [TINY, 8];
  const engine = await watchEngine(page);
  await open(page, { model, backend: 'wasm', frames: 32, steps: 64 });
  await ready(page);
  await button(page, 'Generate').click();
  await expect.poll(async () => (await engine()).steps.length, { intervals: [20] }).toBeGreaterThanOrEqual(2);
  await button(page, 'Stop').click();
  await expect(statusLine(page)).toHaveText(/^Stopped after step \d+ of \d+/);
  await expect(button(page, 'Generate')).toBeEnabled();
  const atStop = (await engine()).steps.length;
  await page.waitForTimeout(3000);
  const { steps, clips } = await engine();
  expect(steps.length - atStop, 'steps that the engine still made').toBeLessThanOrEqual(stepsAhead);
  expect(clips).toEqual([]);

  await setSlider(slider(page, 'Steps'), 'min');
  await setSlider(slider(page, 'Length'), 'min');
  await generate(page);
  expect((await engine()).clips).toHaveLength(1);
});

test('a seed gives the same pixels again, and another seed gives others', async ({ page }) => {
  const engine = await watchEngine(page);
  await open(page, { backend: 'wasm', frames: 16, steps: 6, seed: 42 });
  await generate(page);
  const shown = await clipPictures(page);
  await generate(page);
  const shownAgain = await clipPictures(page);
  await page.getByRole('textbox', { name: 'Seed' }).fill('43');
  await generate(page);
  const shownOther = await clipPictures(page);

  const [first, again, other] = (await engine()).clips;
  expect(again).toBe(first);
  expect(other).not.toBe(first);
  shown.forEach((picture, i) => {
    expect(difference(picture, shownAgain[i] ?? [])).toBeLessThanOrEqual(SAME_PICTURE);
    expect(difference(picture, shownOther[i] ?? [])).toBeGreaterThan(SAME_PICTURE);
  });

  await button(page, 'New seed').click();
  await expect(page.getByRole('textbox', { name: 'Seed' })).not.toHaveValue('43');
});

test('a seed gives the same pixels in a fresh visit to the same link', async ({ page, browser }) => {
  const engine = await watchEngine(page);
  await open(page, { backend: 'wasm', frames: 16, steps: 6, seed: 4_000_000_000 });
  await generate(page);
  const context = await browser.newContext({ reducedMotion: 'reduce' });
  const other = await context.newPage();
  const otherEngine = await watchEngine(other);
  await other.goto(page.url());
  await generate(other);
  expect((await otherEngine()).clips).toEqual((await engine()).clips);
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
    ['Guidance', 0.5],
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
    const samplers = ['Temperature', 'Guidance', 'Choice temperature', 'Top-k', 'Revise passes'];
    const names = ['Steps', 'Length', ...samplers];
    for (const name of names) await setSlider(slider(page, name), end);
    await generate(page);
    await expect(failureLine(page)).toHaveCount(0);
    await expect(generatedVideo(page)).toBeVisible();
  });
}

test('Frame shows that frame, Play moves it on and Pause holds it', async ({ page }) => {
  await open(page, { backend: 'wasm', frames: 32, steps: 4 });
  await generate(page);
  const [first = [], middle = []] = await clipPictures(page);
  expect(difference(first, middle)).toBeGreaterThan(SAME_PICTURE);
  const frame = slider(page, 'Frame');
  await setSlider(frame, 'min');
  expect(difference(await pictureOf(generatedVideo(page)), first)).toBeLessThanOrEqual(SAME_PICTURE);
  await button(page, 'Play').click();
  await expect.poll(() => positionOf(frame)).toBeGreaterThan(2);
  await button(page, 'Pause').click();
  const held = await positionOf(frame);
  const picture = await pictureOf(generatedVideo(page));
  await page.waitForTimeout(300);
  expect(await positionOf(frame)).toBe(held);
  expect(difference(await pictureOf(generatedVideo(page)), picture)).toBeLessThanOrEqual(SAME_PICTURE);
});

test('the preview and the finished clip are named for assistive technology', async ({ page }) => {
  await open(page, { backend: 'wasm', frames: 16, steps: 4 });
  await ready(page);
  await expect(livePreview(page)).toBeAttached();
  await generate(page);
  await expect(page.getByRole('img', { name: 'Generated video' })).toBeVisible();
});
