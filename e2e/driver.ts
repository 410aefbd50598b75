/**
 * How the tests drive the page: by accessible names only, the ones that any other program would use.
 * What happens inside the page is watched by the small observers at the end of this file.
 */
import { test as base, expect, type Locator, type Page } from '@playwright/test';

export { expect };

export const TINY = 'weights/tiny/manifest.json';
export const SKY = 'weights/sky-64/manifest.json';
export const LARGE_SKY = 'weights/sky-128/manifest.json';

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
  await expect(button(page, 'Generate')).toBeEnabled({ timeout: 180_000 });
}

/** The clip that was under way is finished and shown. */
export async function finished(page: Page, timeout = 180_000): Promise<void> {
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

/** Side of a `Picture`, pixels. */
const PICTURE_SIDE = 24;

/** What a canvas shows now, shrunk to 24 × 24 RGBA: browsers may enlarge the same frame with other roundings. */
export type Picture = readonly number[];

export function pictureOf(canvas: Locator): Promise<Picture> {
  return canvas.evaluate(async (element, side) => {
    await new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)));
    const small = document.createElement('canvas');
    small.width = small.height = side;
    const context = small.getContext('2d', { willReadFrequently: true });
    context?.drawImage(element as HTMLCanvasElement, 0, 0, side, side);
    return [...(context?.getImageData(0, 0, side, side).data ?? [])];
  }, PICTURE_SIDE);
}

/** Largest difference of two pictures, 0–255. */
export function difference(a: Picture, b: Picture): number {
  return a.reduce((most, value, i) => Math.max(most, Math.abs(value - (b[i] ?? 255))), 0);
}

/** Rounding in the browser's enlargement. */
export const SAME_PICTURE = 3;

/** The first, the middle and the last frame of the finished clip. */
export async function clipPictures(page: Page): Promise<Picture[]> {
  const pause = button(page, 'Pause');
  if (await pause.isVisible()) await pause.click();
  const frame = slider(page, 'Frame');
  const [first, last] = [await frame.getAttribute('min'), await frame.getAttribute('max')].map(Number);
  if (first === undefined || last === undefined) throw new Error('the slider Frame has no ends');
  const pictures: Picture[] = [];
  for (const position of [first, Math.floor((first + last) / 2), last]) {
    await setSlider(frame, position);
    pictures.push(await pictureOf(generatedVideo(page)));
  }
  return pictures;
}

/** What the engine told the page, seen from outside both. */
export interface EngineLog {
  /** The live preview as painted after each step: a hash of its pixels. */
  readonly steps: readonly { readonly step: number; readonly steps: number; readonly hash: number }[];
  /** Hash of every pixel of each finished clip. */
  readonly clips: readonly number[];
}

/**
 * Listens to the engine beside the page. A step is looked at before anything else can happen in the page: the
 * listener comes after the page's own, whose promises have run by then. Call before `open`.
 */
export async function watchEngine(page: Page): Promise<() => Promise<EngineLog>> {
  await page.addInitScript(() => {
    const log = {
      steps: [] as { step: number; steps: number; hash: number }[],
      clips: [] as number[],
    };
    (window as unknown as { engineLog: EngineLog }).engineLog = log;
    const small = document.createElement('canvas');
    small.width = small.height = 128;
    const context = small.getContext('2d', { willReadFrequently: true });
    /** FNV-1a. */
    const hashOf = (bytes: Uint8ClampedArray) => {
      let hash = 0x811c9dc5;
      for (const byte of bytes) hash = Math.imul(hash ^ byte, 0x01000193);
      return hash >>> 0;
    };
    type Told =
      | { type: 'step'; summary: { step: number; steps: number } }
      | { type: 'clip'; clip: { pixels: Uint8ClampedArray } };
    const look = ({ data }: MessageEvent<Told>) => {
      if (data.type === 'clip') log.clips.push(hashOf(data.clip.pixels));
      const canvas = document.querySelector<HTMLCanvasElement>('canvas[aria-label="Live preview"]');
      if (data.type !== 'step' || !canvas || !context) return;
      context.drawImage(canvas, 0, 0, 128, 128);
      const { step, steps } = data.summary;
      log.steps.push({ step, steps, hash: hashOf(context.getImageData(0, 0, 128, 128).data) });
    };
    window.Worker = class extends Worker {
      constructor(url: string | URL, options?: WorkerOptions) {
        super(url, options);
        queueMicrotask(() => this.addEventListener('message', look));
      }
    };
  });
  return () => page.evaluate(() => (window as unknown as { engineLog: EngineLog }).engineLog);
}

/** Makes a clip and expects the live preview to have changed at every step of it. */
export async function expectEveryStepShown(page: Page, engine: () => Promise<EngineLog>): Promise<void> {
  const before = (await engine()).steps.length;
  await generate(page);
  const seen = (await engine()).steps.slice(before);
  expect(seen.map(({ step }) => step)).toEqual(Array.from({ length: seen[0]?.steps ?? 0 }, (_, i) => i + 1));
  expect(seen.length).toBeGreaterThanOrEqual(4);
  const unchanged = seen.filter(({ hash }, i) => hash === seen[i - 1]?.hash).map(({ step }) => step);
  expect(unchanged, 'steps after which the live preview looked the same').toEqual([]);
}
