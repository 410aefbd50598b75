/**
 * How the tests drive the page: by accessible names only, the ones that any other program would use.
 * What happens inside the page is watched by the small observers at the end of this file.
 */
import { test as base, expect, type Locator, type Page } from '@playwright/test';

export { expect };

export const TINY = 'weights/tiny/manifest.json';
export const SKY = 'weights/sky-64/manifest.json';

export type Query = Readonly<Record<string, string | number>>;

/** A test whose page must not throw: uncaught errors fail it, whatever else it finds. */
export const test = base.extend<{ uncaught: string[] }>({
  uncaught: [
    async ({ page }, use) => {
      const errors: string[] = [];
      page.on('pageerror', (error) => errors.push(error.message));
      await page.emulateMedia({ reducedMotion: 'reduce' });
      await use(errors);
      expect(errors, 'uncaught errors in the page').toEqual([]);
    },
    { auto: true },
  ],
});

export const button = (page: Page, name: string) => page.getByRole('button', { name, exact: true });
export const slider = (page: Page, name: string) => page.getByRole('slider', { name, exact: true });
export const livePreview = (page: Page) =>
  page.getByRole('img', { name: 'Live preview', includeHidden: true });
export const generatedVideo = (page: Page) => page.getByRole('img', { name: 'Generated video' });
export const statusLine = (page: Page) => page.getByRole('status').first();
export const progress = (page: Page, name: 'Loading weights' | 'Generating') =>
  page.getByRole('progressbar', { name, exact: true });
/** The status line once it tells of a failure. */
export const failureLine = (page: Page) => page.locator('[data-failed] [role="status"]');

/** Opens the page with these parameters; the first clip does not start by itself unless asked to. */
export async function open(page: Page, query: Query = {}): Promise<void> {
  const params = new URLSearchParams({ start: 'no', model: TINY });
  for (const [key, value] of Object.entries(query)) params.set(key, String(value));
  await page.goto(`./?${params}`);
}

/** Weights are there and nothing runs. */
export async function ready(page: Page): Promise<void> {
  await expect(button(page, 'Generate')).toBeEnabled({ timeout: 60_000 });
}

/** The clip that was under way is finished and shown. */
export async function finished(page: Page, timeout = 90_000): Promise<void> {
  await expect(statusLine(page)).toHaveText(/\d+ frames in /, { timeout });
  await expect(generatedVideo(page)).toBeVisible();
  await expect(button(page, 'Download')).toBeEnabled();
}

/** Generates once and waits for the clip. */
export async function generate(page: Page, timeout?: number): Promise<void> {
  await ready(page);
  await button(page, 'Generate').click();
  await finished(page, timeout);
}

export async function openAdvanced(page: Page): Promise<void> {
  if (await slider(page, 'Temperature').isVisible()) return;
  await page.getByText('Advanced', { exact: true }).click();
  await expect(slider(page, 'Temperature')).toBeVisible();
}

/** Sets a native range input as a visitor's program would. */
export async function setSlider(range: Locator, value: number | 'min' | 'max'): Promise<void> {
  const text = typeof value === 'number' ? String(value) : await range.getAttribute(value);
  if (text === null) throw new Error(`the slider has no ${value}`);
  await range.fill(text);
}

/** Number that a slider stands at, as assistive technology reads it. */
export const positionOf = async (range: Locator) => Number(await range.inputValue());

/** FNV-1a of a canvas's pixels as painted now. */
export function canvasHash(canvas: Locator): Promise<number> {
  return canvas.evaluate(async (element) => {
    await new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)));
    const text = (element as HTMLCanvasElement).toDataURL();
    let hash = 0x811c9dc5;
    for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
    return hash >>> 0;
  });
}

/** Hashes of the first, the middle and the last frame of the finished clip. */
export async function clipHashes(page: Page): Promise<number[]> {
  const pause = button(page, 'Pause');
  if (await pause.isVisible()) await pause.click();
  const frame = slider(page, 'Frame');
  const last = Number(await frame.getAttribute('max'));
  const first = Number(await frame.getAttribute('min'));
  const hashes: number[] = [];
  for (const position of [first, Math.floor((first + last) / 2), last]) {
    await setSlider(frame, position);
    hashes.push(await canvasHash(generatedVideo(page)));
  }
  return hashes;
}

/** One look at the live preview, taken as soon as the page has painted a step. */
export interface PreviewLook {
  readonly step: number;
  readonly steps: number;
  readonly hash: number;
}

/**
 * Hashes the live preview after every step that the engine reports, before anything else can happen in the page:
 * the listener comes after the page's own, whose promises have run by then. Call before `open`.
 */
export async function watchPreview(page: Page): Promise<() => Promise<PreviewLook[]>> {
  await page.addInitScript(() => {
    const looks: PreviewLook[] = [];
    (window as unknown as { previewLooks: PreviewLook[] }).previewLooks = looks;
    const small = document.createElement('canvas');
    small.width = small.height = 128;
    const context = small.getContext('2d', { willReadFrequently: true });
    const look = ({ data }: MessageEvent<{ type: string; summary?: { step: number; steps: number } }>) => {
      const canvas = document.querySelector<HTMLCanvasElement>('canvas[aria-label="Live preview"]');
      if (data.type !== 'step' || !data.summary || !canvas || !context) return;
      context.drawImage(canvas, 0, 0, 128, 128);
      let hash = 0x811c9dc5;
      for (const byte of context.getImageData(0, 0, 128, 128).data) hash = Math.imul(hash ^ byte, 0x01000193);
      looks.push({ step: data.summary.step, steps: data.summary.steps, hash: hash >>> 0 });
    };
    window.Worker = class extends Worker {
      constructor(url: string | URL, options?: WorkerOptions) {
        super(url, options);
        queueMicrotask(() => this.addEventListener('message', look));
      }
    };
  });
  return () => page.evaluate(() => (window as unknown as { previewLooks: PreviewLook[] }).previewLooks);
}
