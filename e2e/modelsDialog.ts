/** The dialog Models as the tests drive it, and what the browser then keeps. */
import AxeBuilder from '@axe-core/playwright';
import { expect, type Page } from '@playwright/test';
import { button } from './driver';

export const QUICK = { backend: 'wasm', steps: 4, seed: 3 } as const;
export const dialog = (page: Page) => page.getByRole('dialog', { name: 'Models' });
export const row = (page: Page, name: string) => dialog(page).getByRole('listitem').filter({ hasText: name });
export const converting = (page: Page) => page.getByRole('progressbar', { name: 'Converting' });

/** Every read of a file takes a while, so that there is time to press Stop. */
export const SLOW_FILES = `{
  const read = Blob.prototype.arrayBuffer;
  Blob.prototype.arrayBuffer = async function () {
    await new Promise((resolve) => setTimeout(resolve, 100));
    return read.call(this);
  };
}`;

/** Paths of everything in the library's folder; folders end in a slash. */
export const storedNames = (page: Page) =>
  page.evaluate(async () => {
    const names: string[] = [];
    const visit = async (folder: FileSystemDirectoryHandle, path: string) => {
      for await (const [name, handle] of folder as unknown as AsyncIterable<[string, FileSystemHandle]>) {
        names.push(handle.kind === 'directory' ? `${path}${name}/` : path + name);
        if (handle.kind === 'directory') await visit(handle as FileSystemDirectoryHandle, `${path}${name}/`);
      }
    };
    const root = await navigator.storage.getDirectory();
    await visit(await root.getDirectoryHandle('mebt-models', { create: true }), '');
    return names;
  });

export async function convertTo(page: Page, kind: RegExp, fill = async () => {}): Promise<void> {
  await expect(page.getByLabel('Pixels of a token')).toBeVisible();
  await page.getByLabel('Pixels of a token').fill('2, 4, 4');
  await button(page, 'Go on').click();
  await page.getByRole('radio', { name: kind }).check();
  await fill();
  await button(page, 'Convert').click();
}

export async function expectAccessible(page: Page): Promise<void> {
  const { violations } = await new AxeBuilder({ page }).analyze();
  expect(violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(' ')}`)).toEqual([]);
}
