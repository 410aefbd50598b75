/** The page as a page: accessibility, layout, keyboard, weight of its JavaScript, and a main thread that stays free. */
import AxeBuilder from '@axe-core/playwright';
import type { Page } from '@playwright/test';
import {
  button,
  expect,
  failureLine,
  finished,
  generate,
  open,
  openAdvanced,
  progress,
  ready,
  slider,
  test,
} from './driver';
import { missing, SHARDS } from './faults';
import { expectWithinBudget } from './javascript';

const SMALL_CLIP = { backend: 'wasm', frames: 16, steps: 4 } as const;

async function expectAccessible(page: Page): Promise<void> {
  const { violations } = await new AxeBuilder({ page }).analyze();
  const serious = violations
    .filter(({ impact }) => impact === 'serious' || impact === 'critical')
    .map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(' ')}`);
  expect(serious).toEqual([]);
}

for (const colorScheme of ['light', 'dark'] as const) {
  test(`axe finds nothing serious in any state, ${colorScheme}`, async ({ page }) => {
    await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
    let release = () => {};
    const gate = new Promise<void>((resolve) => {
      release = resolve;
    });
    await page.route(SHARDS, async (route) => {
      await gate;
      await route.continue();
    });
    await open(page, { ...SMALL_CLIP, steps: 32, frames: 32 });
    await expect(progress(page, 'Loading weights')).toBeVisible();
    await expectAccessible(page);
    release();
    await ready(page);
    await openAdvanced(page);
    await expectAccessible(page);
    await button(page, 'Generate').click();
    await expect(button(page, 'Stop')).toBeVisible();
    await expectAccessible(page);
    await finished(page);
    await expectAccessible(page);
  });
}

test('axe finds nothing serious when the weights failed', async ({ page }) => {
  await page.route(SHARDS, missing);
  await open(page, SMALL_CLIP);
  await expect(failureLine(page)).toBeVisible();
  await expectAccessible(page);
});

const overflow = (page: Page) =>
  page.evaluate(() => ({
    x: document.documentElement.scrollWidth - document.documentElement.clientWidth,
    y: document.documentElement.scrollHeight - document.documentElement.clientHeight,
  }));

test('on a laptop (1366 × 768) nothing scrolls, before, while and after generating', async ({ page }) => {
  await open(page, { ...SMALL_CLIP, steps: 64 });
  await ready(page);
  expect(await overflow(page)).toEqual({ x: 0, y: 0 });
  await button(page, 'Generate').click();
  expect(await overflow(page)).toEqual({ x: 0, y: 0 });
  await finished(page);
  expect(await overflow(page)).toEqual({ x: 0, y: 0 });
});

test('on a phone (360 px) nothing scrolls sideways and every control can be reached', async ({ page }) => {
  await page.setViewportSize({ width: 360, height: 740 });
  await open(page, SMALL_CLIP);
  await generate(page);
  await openAdvanced(page);
  expect((await overflow(page)).x).toBe(0);
  for (const name of ['Generate', 'Download', 'New seed']) {
    const box = await button(page, name).boundingBox();
    expect(box, name).not.toBeNull();
    expect((box?.x ?? -1) >= 0 && (box?.x ?? 0) + (box?.width ?? 999) <= 360, name).toBe(true);
  }
});

test('the keyboard reaches every control and runs the page', async ({ page }) => {
  await open(page, SMALL_CLIP);
  await ready(page);
  const reached = new Set<string>();
  for (let i = 0; i < 40; i++) {
    await page.keyboard.press('Tab');
    const name = await page.evaluate(() => {
      const element = document.activeElement as HTMLInputElement | null;
      return element?.ariaLabel ?? element?.labels?.[0]?.textContent ?? element?.textContent ?? '';
    });
    reached.add(name.trim().split('\n')[0] ?? '');
  }
  const all = [...reached].join(' | ');
  for (const name of ['Generate', 'New seed', 'Steps', 'Length', 'Seed']) expect(all).toContain(name);

  await button(page, 'Generate').focus();
  await page.keyboard.press('Enter');
  await finished(page);
  const frame = slider(page, 'Frame');
  await frame.focus();
  await page.keyboard.press('Home');
  await page.keyboard.press('ArrowRight');
  const minimum = Number(await frame.getAttribute('min'));
  await expect(frame).toHaveValue(String(minimum + 1));
});

test('on wasm the page loads less than 250 kB of JavaScript (gzip) before the model', async ({ page }) => {
  await expectWithinBudget(page, 'wasm');
});

/**
 * Processor time, not wall time: on a busy machine with two cores a task may wait for its core as long as it
 * likes, and that is not the page's doing.
 */
test('no task of the main thread takes over 50 ms while a clip is made', async ({ page, browser }) => {
  await open(page, { ...SMALL_CLIP, steps: 24, frames: 32 });
  await ready(page);
  await browser.startTracing(page, { categories: ['toplevel', 'devtools.timeline', '__metadata'] });
  await button(page, 'Generate').click();
  await finished(page);
  const trace = JSON.parse((await browser.stopTracing()).toString()) as {
    traceEvents: {
      name: string;
      ph: string;
      pid: number;
      tid: number;
      tdur?: number;
      args?: { name?: string };
    }[];
  };
  const rendererMain = new Set(
    trace.traceEvents
      .filter(({ name, args }) => name === 'thread_name' && args?.name === 'CrRendererMain')
      .map(({ pid, tid }) => `${pid}/${tid}`),
  );
  const tasks = trace.traceEvents.filter(
    ({ name, ph, pid, tid }) => ph === 'X' && /RunTask/.test(name) && rendererMain.has(`${pid}/${tid}`),
  );
  expect(tasks.length, 'tasks traced').toBeGreaterThan(50);
  const longest = Math.max(...tasks.map(({ tdur = 0 }) => tdur)) / 1000;
  console.log(`longest task of the main thread: ${longest.toFixed(1)} ms of processor time`);
  expect(longest).toBeGreaterThan(0);
  expect(longest).toBeLessThan(50);
});
