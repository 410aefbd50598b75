/** Checks of what is done to a clip before it is encoded. */
import { preprocessClip } from '../video/preprocess';
import { channelsLast, expectClose, limits } from './compare';
import type { GoldenFolder } from './folder';
import type { Report } from './report';

const INPUT = '.thwc_u8';

export async function checkPreprocessing(folder: GoldenFolder, report: Report): Promise<void> {
  const name = folder.fileOf('preprocess', (tensor) => tensor.endsWith(INPUT));
  if (!name) return;
  const file = await folder.file(name);
  for (const input of file.names().filter((tensor) => tensor.endsWith(INPUT))) {
    const label = input.slice(0, -INPUT.length);
    await report.check(`preprocess ${label}`, () => {
      const { shape, values } = file.get(input);
      const [frames = 0, height = 0, width = 0] = shape;
      const [resolution = 0, keepEvery = 1] = Array.from(file.get(`${label}.resolution_skip`).values);
      const clip = preprocessClip(
        { pixels: Uint8Array.from(values), frames, height, width },
        resolution,
        keepEvery,
      );
      const expected = file.get(`${label}.cthw`);
      const actual = { shape: [1, clip.frames, resolution, resolution, 3], values: clip.values };
      return expectClose(
        actual,
        channelsLast({ shape: [1, ...expected.shape], values: expected.values }),
        limits().pixels,
      );
    });
  }
}
