/** Checkpoints as torch.save writes them, of the official shapes and a few kilobytes, and how a test drops a file. */
import type { Page } from '@playwright/test';
import {
  type OfficialSizes,
  TINY_OFFICIAL,
  transformerSettings,
  transformerShapes,
  vqganSettings,
  vqganShapes,
} from '../src/loader/testing/officialShapes';
import { dict, type PickledValue } from '../src/loader/testing/pickleWriter';
import { randomTensor } from '../src/loader/testing/randomWeights';
import {
  dictConfig,
  lightningCheckpoint,
  type SavedTensor,
  torchZip,
} from '../src/loader/testing/torchWriter';

export interface TestFile {
  readonly name: string;
  readonly mimeType: string;
  readonly buffer: Buffer;
}

const file = (name: string, bytes: Uint8Array): TestFile => ({
  name,
  mimeType: 'application/octet-stream',
  buffer: Buffer.from(bytes),
});

const tensorsOf = (shapes: ReadonlyMap<string, readonly number[]>): Map<string, SavedTensor> =>
  new Map(Array.from(shapes, ([name, shape]) => [name, randomTensor(name, shape)]));

const embedded = (sizes: OfficialSizes): Map<string, SavedTensor> =>
  new Map(
    Array.from(tensorsOf(vqganShapes(sizes)), ([name, tensor]) => [`first_stage_model.${name}`, tensor]),
  );

/** A transformer with its VQGAN in it; its settings do not say the strides. */
export async function checkpoint(name: string, sizes: OfficialSizes = TINY_OFFICIAL): Promise<TestFile> {
  const state = new Map([...tensorsOf(transformerShapes(sizes)), ...embedded(sizes)]);
  return file(name, await torchZip(lightningCheckpoint(state, settingsWithoutStrides(sizes))));
}

/** Not cut out of a whole configuration, which would tell the clip's length and resolution. */
function settingsWithoutStrides({ modes, heads, grid }: OfficialSizes): PickledValue {
  return dict({
    transformer_config: dictConfig(dict({ n_head: heads, mode: modes })),
    mask_config: dictConfig(dict({ params: dict({ shape: grid }) })),
  });
}

export async function transformerAlone(name: string): Promise<TestFile> {
  const state = tensorsOf(transformerShapes(TINY_OFFICIAL));
  return file(name, await torchZip(lightningCheckpoint(state, transformerSettings(TINY_OFFICIAL))));
}

export async function vqganAlone(name: string): Promise<TestFile> {
  const state = tensorsOf(vqganShapes(TINY_OFFICIAL));
  return file(name, await torchZip(lightningCheckpoint(state, vqganSettings(TINY_OFFICIAL))));
}

/** Drags a file over the page; `let go` drops it. */
export async function drag(
  page: Page,
  { name, mimeType, buffer }: TestFile,
): Promise<{ letGo(): Promise<void> }> {
  const transfer = await page.evaluateHandle(
    ({ name, mimeType, base64 }) => {
      const bytes = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
      const data = new DataTransfer();
      data.items.add(new File([bytes], name, { type: mimeType }));
      return data;
    },
    { name, mimeType, base64: buffer.toString('base64') },
  );
  await page.dispatchEvent('main', 'dragenter', { dataTransfer: transfer });
  await page.dispatchEvent('main', 'dragover', { dataTransfer: transfer });
  return { letGo: () => page.dispatchEvent('main', 'drop', { dataTransfer: transfer }) };
}
