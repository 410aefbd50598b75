/** Bringing a model: a checkpoint is dropped, converted, kept, used, recalled by its address, and removed. */
import { checkpoint, drag, transformerAlone, vqganAlone } from './checkpoint';
import {
  button,
  clipPictures,
  expect,
  failureLine,
  generate,
  open,
  ready,
  SKY,
  setSlider,
  slider,
  TINY,
  test,
} from './driver';
import { patchWorker } from './faults';
import {
  converting,
  convertTo,
  dialog,
  expectAccessible,
  QUICK,
  row,
  SLOW_FILES,
  storedNames,
} from './modelsDialog';

test('a dropped checkpoint is converted, used, recalled after a reload without its file, and removed', async ({
  page,
}) => {
  await open(page, QUICK);
  await ready(page);
  const { letGo } = await drag(page, await checkpoint('mine.ckpt'));
  await expect(page.getByText(/Drop the checkpoint/)).toBeVisible();
  await letGo();
  await expect(page.getByText(/Drop the checkpoint/)).toHaveCount(0);
  await convertTo(page, /^int8/, async () => {
    await page.getByLabel('Licence').fill('CC BY 4.0, by me');
    await page.getByLabel('Sampling').selectOption('As published for Taichi-HD, 16 frames');
  });
  await expect(dialog(page).getByText(/mine is converted and kept/)).toBeVisible();
  await expect(row(page, 'mine')).toContainText(/kB|MB/);
  await expect(row(page, 'mine')).toContainText('8 frames');
  await expect(row(page, 'mine')).toContainText('Licence: CC BY 4.0, by me');

  await button(page, 'Report of mine').click();
  await expect(page.getByRole('textbox', { name: 'Report of the conversion' })).toHaveValue(/worst first/);
  await button(page, 'Back').click();
  await button(page, 'Use mine').click();
  await expect(dialog(page)).toBeHidden();
  await expect(slider(page, 'Steps')).toHaveValue('64');
  await setSlider(slider(page, 'Steps'), 4);
  await generate(page);
  await expect(page).toHaveURL(/model=opfs(:|%3A)[0-9a-f]{64}/);
  const before = await clipPictures(page);

  await page.reload();
  await generate(page);
  expect(await clipPictures(page)).toEqual(before);
  await expect(page.getByText('Licence: CC BY 4.0, by me')).toBeVisible();
  await button(page, 'Models').click();
  await expect(row(page, 'mine')).toContainText('in use');
  await button(page, 'Remove mine').click();
  await expect(dialog(page).getByText(/mine is removed; .* are free again/)).toBeVisible();
  await expect(row(page, 'mine')).toHaveCount(0);
  expect(await storedNames(page)).toEqual([]);
  await ready(page);
  await expect(page).not.toHaveURL(/opfs/);
});

test('a transformer waits for its VQGAN, which says the strides; each kind of storage generates', async ({
  page,
}) => {
  await open(page, QUICK);
  await ready(page);
  await button(page, 'Models').click();
  const input = page.getByLabel('Checkpoint files');
  await input.setInputFiles(await transformerAlone('alone.ckpt'));
  await expect(dialog(page).getByText(/VQGAN that it was trained on/)).toBeVisible();
  await input.setInputFiles(await vqganAlone('vqgan.ckpt'));
  for (const kind of ['int4', 'float16', 'float32']) {
    if (kind !== 'int4') {
      await button(page, 'Models').click();
      await input.setInputFiles([await transformerAlone('alone.ckpt'), await vqganAlone('vqgan.ckpt')]);
    }
    await page.getByRole('radio', { name: kind }).check();
    await page.getByLabel('Name').fill(`tiny-${kind}`);
    await button(page, 'Convert').click();
    await button(page, `Use tiny-${kind}`).click();
    await expect(dialog(page)).toBeHidden();
    await setSlider(slider(page, 'Steps'), 4);
    await generate(page);
    await expect(page.getByText(`tiny-${kind}`).first()).toBeVisible();
  }
});

test('Stop leaves nothing behind, and a conversion that the browser cut off is cleaned up', async ({
  page,
}) => {
  await patchWorker(page, SLOW_FILES);
  await open(page, QUICK);
  await ready(page);
  await button(page, 'Models').click();
  const input = page.getByLabel('Checkpoint files');
  const large = await checkpoint('large.ckpt');
  await input.setInputFiles(large);
  await convertTo(page, /^float32/);
  await expect(converting(page)).toBeVisible();
  await dialog(page).getByRole('button', { name: 'Stop', exact: true }).click();
  await expect(dialog(page).getByText(/Stopped. Nothing of it was kept/)).toBeVisible();
  expect(await storedNames(page)).toEqual([]);

  await input.setInputFiles(large);
  await convertTo(page, /^float32/);
  await expect.poll(async () => (await storedNames(page)).length).toBeGreaterThan(0);
  await page.reload();
  await ready(page);
  await expect.poll(() => storedNames(page)).toEqual([]);
  await button(page, 'Models').click();
  await expect(row(page, 'large')).toHaveCount(0);
});

test('a file that is no checkpoint gives a sentence, and the page goes on', async ({ page }) => {
  await open(page, QUICK);
  await ready(page);
  const { letGo } = await drag(page, {
    name: 'holiday.jpg',
    mimeType: 'image/jpeg',
    buffer: Buffer.from('not a model'),
  });
  await letGo();
  const alert = dialog(page).getByRole('alert');
  await expect(alert).toContainText(/holiday\.jpg cannot be read: .{10,}\./);
  await button(page, 'Dismiss').click();
  await page.keyboard.press('Escape');
  await generate(page);
});

test('a full disk gives a sentence and loses nothing', async ({ page, context }) => {
  await open(page, QUICK);
  await ready(page);
  const session = await context.newCDPSession(page);
  await session.send('Storage.overrideQuotaForOrigin', {
    origin: new URL(page.url()).origin,
    quotaSize: 100_000,
  });
  await button(page, 'Models').click();
  await page.getByLabel('Checkpoint files').setInputFiles(await checkpoint('large.ckpt'));
  await convertTo(page, /^float32/);
  await expect(dialog(page).getByRole('alert')).toContainText(/no room for the converted model/);
  expect(await storedNames(page)).toEqual([]);
  await page.keyboard.press('Escape');
  await generate(page);
});

test('the page’s own models are listed with their size and, after a clip, how fast they would be here', async ({
  page,
}) => {
  await open(page, { ...QUICK, model: SKY, frames: 16 });
  await ready(page);
  await button(page, 'Models').click();
  for (const name of ['sky-64', 'sky-128']) {
    await expect(row(page, name)).toContainText(/\d+\.\d MB/);
    await expect(row(page, name)).not.toContainText('for a second of video');
  }
  await page.keyboard.press('Escape');
  await generate(page);
  await button(page, 'Models').click();
  const words = /about (?:(\d+) min )?(\d+(?:\.\d)?) (m?s) for a second of video, here/;
  const seconds = async (name: string) => {
    await expect(row(page, name)).toContainText(words);
    const [, minutes = 0, number, unit] = words.exec((await row(page, name).textContent()) ?? '') ?? [];
    return 60 * Number(minutes) + Number(number) * (unit === 'ms' ? 0.001 : 1);
  };
  expect(await seconds('sky-128')).toBeGreaterThan(2 * (await seconds('sky-64')));
});

test('a link to a model of another machine says so and offers the page’s own', async ({ page }) => {
  await open(page, { ...QUICK, model: `opfs:${'0'.repeat(64)}` });
  await expect(failureLine(page)).toContainText(/not on this machine/);
  await button(page, 'Use the page’s own model').click();
  await ready(page);
  await expect(page).not.toHaveURL(/opfs/);
  await expect(page.getByText('sky-64').first()).toBeVisible();
});

for (const colorScheme of ['light', 'dark'] as const) {
  test(`the dialog is accessible: names, focus, Escape, ${colorScheme}`, async ({ page }) => {
    await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
    await open(page, { ...QUICK, model: TINY });
    await ready(page);
    await button(page, 'Models').focus();
    await page.keyboard.press('Enter');
    await expect(dialog(page)).toBeVisible();
    await expect(row(page, 'sky-64')).toContainText(/\d M parameters/);
    await expect(row(page, 'sky-64')).toContainText(
      /Memory: .* of weights, .* in all at \d+ frames, of 3\.9 GB/,
    );
    await expectAccessible(page);
    await page.getByLabel('Checkpoint files').setInputFiles(await checkpoint('mine.ckpt'));
    await expect(page.getByLabel('Pixels of a token')).toBeVisible();
    await expectAccessible(page);
    await page.getByLabel('Pixels of a token').fill('two');
    await button(page, 'Go on').click();
    await expect(page.getByText(/“two” cannot be used/)).toBeVisible();
    await expectAccessible(page);
    await page.getByLabel('Pixels of a token').fill('2, 4, 4');
    await button(page, 'Go on').click();
    await expect(page.getByText(/that the browser lets this page store/).first()).toBeVisible();
    await expectAccessible(page);
    await button(page, 'Report').click();
    await expectAccessible(page);
    await page.keyboard.press('Escape');
    await expect(dialog(page)).toBeHidden();
    await expect(button(page, 'Models')).toBeFocused();
  });
}
