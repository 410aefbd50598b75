// What the page's store knows of a comparison, without a browser.
import { expect, it, vi } from 'vitest';
import type { Engine } from './context';
import { createPage, type Page } from './page';
import type { ComparisonState } from './state';
import { createFakeEngine } from './testing/fakeEngine';
import { createFakeLibrary } from './testing/fakeLibrary';

async function open(engine: Partial<Engine> = {}, step = 0): Promise<Page> {
  const page = createPage({
    engine: { ...createFakeEngine({ load: 0, step, decode: 0 }), ...engine },
    library: createFakeLibrary(),
    search: () => '?start=no&frames=16&steps=4',
    replaceSearch: () => undefined,
    saveFile: () => undefined,
    drawSeed: () => 1,
    calm: true,
  });
  await page.actions.begin();
  return page;
}

const stateOf = (page: Page): ComparisonState => page.store.getState().comparison;
const until = (page: Page, reached: (state: ComparisonState) => boolean) =>
  vi.waitFor(() => expect(reached(stateOf(page))).toBe(true), { timeout: 4000, interval: 2 });

it('collects every measurement and keeps the summary', async () => {
  const page = await open();
  const runs = new Set<string>();
  page.store.subscribe(({ comparison }) => runs.add(comparison.run));
  await page.actions.compare();
  expect([...runs]).toEqual(['waiting', 'running', 'idle']);
  expect(stateOf(page).points).toHaveLength(16);
  expect(stateOf(page)).toMatchObject({ measuring: null, message: 'Measured.' });
  expect(stateOf(page).families?.mebt.growth?.exponent).toBeLessThan(1.1);
  expect(stateOf(page).families?.dense.end).toBe('time');
});

it('stops at once, keeps what was measured, drops what still arrives, and runs again from nothing', async () => {
  const page = await open({}, 5);
  const first = page.actions.compare();
  await until(page, ({ points }) => points.length >= 2);
  page.actions.stopComparing();
  const { points } = stateOf(page);
  expect(stateOf(page)).toMatchObject({ run: 'idle', families: null, message: 'Stopped.' });
  await first;
  expect(stateOf(page).points).toBe(points);
  void page.actions.compare();
  expect(stateOf(page)).toMatchObject({ run: 'waiting', points: [] });
  await until(page, ({ run }) => run === 'running');
  page.actions.stopComparing();
});

it('runs once however often Run is pressed, and not before the weights are there', async () => {
  const compare = vi.fn(createFakeEngine({ load: 0, step: 1, decode: 0 }).compare);
  const page = await open({ compare });
  page.store.setState({ weights: 'loading' });
  await page.actions.compare();
  expect(compare).not.toHaveBeenCalled();
  page.store.setState({ weights: 'ready' });
  await Promise.all([page.actions.compare(), page.actions.compare()]);
  expect(compare).toHaveBeenCalledTimes(1);
});

it('says what went wrong, and that it waits for a clip', async () => {
  const page = await open({
    // biome-ignore lint/correctness/useYield: it fails before there is anything to say.
    async *compare() {
      throw new Error('The graphics card reported an error.');
    },
  });
  await page.actions.compare();
  expect(stateOf(page)).toMatchObject({ run: 'failed', message: 'The graphics card reported an error.' });
  page.store.setState({ generation: 'stepping' });
  const again = page.actions.compare();
  expect(stateOf(page).message).toBe('Waits for the clip that is being made.');
  await again;
});
