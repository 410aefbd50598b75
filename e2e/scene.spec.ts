/** What a clip is to be of: chosen, told to the model, kept in the address, and said of the finished clip. */
import { clipPictures, difference, expect, generate, open, ready, SAME_PICTURE, SKY, test } from './driver';

const QUERY = { backend: 'wasm', frames: 16, steps: 4, seed: 3 };

test('a chosen hour makes another clip, and the link recalls it', async ({ page }) => {
  await open(page, QUERY);
  await ready(page);
  await page.getByText('Scene any').click();
  const hour = page.getByLabel('hour', { exact: true });
  const detail = page.locator('#detail');

  await generate(page);
  const drawn = /hour (day|night)/.exec(await detail.innerText())?.[1] ?? '';
  await expect(hour.locator('option:checked')).toHaveText(`any · ${drawn}`);
  const [before = []] = await clipPictures(page);

  const other = drawn === 'day' ? 'night' : 'day';
  await hour.selectOption(other);
  expect(new URL(page.url()).searchParams.get('scene')).toBe(`hour-${other}`);
  await generate(page);
  await expect(detail).toContainText(`hour ${other}`);
  const [after = []] = await clipPictures(page);
  expect(difference(before, after), 'the clip follows').toBeGreaterThan(SAME_PICTURE);

  await page.reload();
  await ready(page);
  await expect(page.getByText(`Scene hour ${other}`)).toBeVisible();
  await page.getByText(`Scene hour ${other}`).click();
  await expect(hour).toHaveValue(other);
  await page.getByRole('button', { name: 'Leave all open' }).click();
  await expect(hour).toHaveValue('');
  expect(new URL(page.url()).searchParams.has('scene')).toBe(false);
});

test('a link with a scene that the model does not know says so, and the page goes on', async ({ page }) => {
  await open(page, { ...QUERY, scene: 'hour-noon.rain-yes' });
  await ready(page);
  await expect(page.getByText('hour “noon” is not known (there are day, night)')).toBeVisible();
  await expect(page.getByText('“rain” is not known (there are hour, moon)')).toBeVisible();
  await generate(page);
});

test('a model that is told nothing has no such choice', async ({ page }) => {
  await open(page, { ...QUERY, model: SKY });
  await ready(page);
  await expect(page.getByText('Advanced')).toBeVisible();
  await expect(page.getByText('Scene')).toHaveCount(0);
});
