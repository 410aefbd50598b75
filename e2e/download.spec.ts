/** The downloaded files, decoded again and counted. */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import type { Page } from '@playwright/test';
import { button, expect, failureLine, generate, open, TINY, test } from './driver';
import { patchWorker } from './faults';

const FRAMES = 16;
const SEED = 77;

interface Decoded {
  readonly frames: number;
  readonly width: number;
  readonly height: number;
  readonly frameRate: number;
}

/** Chooses a format and downloads; returns where the file lies and what it is called. */
async function download(page: Page, format: 'MP4' | 'WebM' | 'GIF'): Promise<{ path: string; name: string }> {
  await chooseFormat(page, format);
  const [file] = await Promise.all([page.waitForEvent('download'), button(page, 'Download').click()]);
  return { path: await file.path(), name: file.suggestedFilename() };
}

/** `Format` may be a select or a group of radio buttons. */
async function chooseFormat(page: Page, format: string): Promise<void> {
  const select = page.getByRole('combobox', { name: 'Format' });
  if (await select.count()) await select.selectOption({ label: format });
  else await page.getByRole('radio', { name: format, exact: true }).check({ force: true });
}

const ffprobeWorks = spawnSync('ffprobe', ['-version']).status === 0;

/** Every frame decoded by ffprobe. */
function probe(path: string): Decoded {
  const { stdout } = spawnSync(
    'ffprobe',
    [
      '-v',
      'error',
      '-count_frames',
      '-select_streams',
      'v:0',
      '-show_entries',
      'stream=nb_read_frames,width,height,avg_frame_rate',
      '-of',
      'json',
      path,
    ],
    { encoding: 'utf8' },
  );
  const stream = (
    JSON.parse(stdout) as {
      streams: { nb_read_frames: string; width: number; height: number; avg_frame_rate: string }[];
    }
  ).streams[0];
  if (!stream) throw new Error(`ffprobe found no video in ${path}`);
  const [rate = 0, per = 1] = stream.avg_frame_rate.split('/').map(Number);
  return {
    frames: Number(stream.nb_read_frames),
    width: stream.width,
    height: stream.height,
    frameRate: rate / per,
  };
}

/** The same without ffprobe: a GIF by ImageDecoder, a video by seeking a video element through it. */
async function decodeInPage(page: Page, path: string): Promise<Decoded> {
  const type = path.endsWith('gif') ? 'image/gif' : path.endsWith('webm') ? 'video/webm' : 'video/mp4';
  return page.evaluate(
    async ({ base64, type, frames }) => {
      const bytes = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
      if (type === 'image/gif') {
        const decoder = new ImageDecoder({ data: bytes, type });
        await decoder.tracks.ready;
        await decoder.completed;
        const count = decoder.tracks.selectedTrack?.frameCount ?? 0;
        let duration = 0;
        let image = (await decoder.decode({ frameIndex: 0 })).image;
        for (let i = 0; i < count; i++) {
          image = (await decoder.decode({ frameIndex: i })).image;
          duration += image.duration ?? 0;
        }
        const { displayWidth: width, displayHeight: height } = image;
        return { frames: count, width, height, frameRate: (count * 1e6) / duration };
      }
      const video = document.createElement('video');
      video.muted = true;
      video.src = URL.createObjectURL(new Blob([bytes], { type }));
      await new Promise((resolve, reject) => {
        video.onloadeddata = resolve;
        video.onerror = reject;
      });
      const frameRate = frames / video.duration;
      const seen = new Set<number>();
      for (let i = 0; i < frames + 2; i++) {
        await new Promise<void>((resolve) => {
          video.requestVideoFrameCallback((_, { mediaTime }) => {
            seen.add(mediaTime);
            resolve();
          });
          setTimeout(resolve, 1000);
          video.currentTime = Math.min((i + 0.5) / frameRate, video.duration);
        });
      }
      return { frames: seen.size, width: video.videoWidth, height: video.videoHeight, frameRate };
    },
    { base64: readFileSync(path).toString('base64'), type, frames: FRAMES },
  );
}

const decode = (page: Page, path: string) => (ffprobeWorks ? probe(path) : decodeInPage(page, path));

for (const format of ['MP4', 'WebM', 'GIF'] as const) {
  test(`the ${format} file has every frame, at the clip's size and rate`, async ({ page }, info) => {
    await open(page, { backend: 'wasm', frames: FRAMES, steps: 4, seed: SEED });
    await generate(page);
    const { path, name } = await download(page, format);
    expect(name).toMatch(new RegExp(`\\.${format.toLowerCase()}$`));
    expect(name).toContain(String(SEED));
    expect(name).toContain(String(FRAMES));
    expect(basename(name)).toBe(name);

    const kept = info.outputPath(name);
    await (await import('node:fs/promises')).copyFile(path, kept);
    const { rate, width, height } = await clipFacts(page);
    const decoded = await decode(page, kept);
    expect(decoded).toMatchObject({ frames: FRAMES, width, height });
    // GIF delays are whole hundredths of a second, dithered so that the mean is right.
    expect(Math.abs(decoded.frameRate - rate) / rate).toBeLessThan(format === 'GIF' ? 0.01 : 0.001);
  });
}

/** What the model says its clips are: read from its own manifest, not from the page. */
async function clipFacts(page: Page): Promise<{ rate: number; width: number; height: number }> {
  return page.evaluate(async (url) => {
    const { model } = (await (await fetch(url)).json()) as {
      model: {
        frameRate: number;
        grid: [number, number, number];
        tokenizer: { decoder: { stride: [number, number, number] }[] };
      };
    };
    const size = (axis: 1 | 2) =>
      model.tokenizer.decoder.reduce((extent, { stride }) => extent * stride[axis], model.grid[axis]);
    return { rate: model.frameRate, height: size(1), width: size(2) };
  }, TINY);
}

test('without WebCodecs the page still writes GIF, and says why it offers nothing else', async ({ page }) => {
  await patchWorker(page, 'delete self.VideoEncoder; delete self.VideoFrame; delete self.VideoDecoder;');
  await page.addInitScript(() => {
    for (const name of ['VideoEncoder', 'VideoFrame', 'VideoDecoder']) {
      Object.defineProperty(window, name, { value: undefined, configurable: true });
    }
  });
  await open(page, { backend: 'wasm', frames: FRAMES, steps: 4, seed: SEED });
  await generate(page);
  const { path, name } = await download(page, 'GIF');
  expect(name).toMatch(/\.gif$/);
  expect(readFileSync(path).subarray(0, 6).toString('latin1')).toBe('GIF89a');
  await expect(failureLine(page)).toHaveCount(0);
});
