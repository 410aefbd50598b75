/** The models at hand, as the page shows them: the page's own ones, and those kept on this machine. */
import { downsampleOf, type ModelConfig } from '../config/model';
import { bytesOf, fetchManifest, LoadError, type Manifest } from '../loader';
import { type Kept, Library } from '../loader/library';
import { memoryFigures } from '../pipeline/memory';
import { flopsPerSecond } from '../pipeline/work';
import type { Device, ModelEntry, ModelFigures, StorageEstimate } from './protocol';

export interface ModelList {
  /** In the order in which they were asked for. */
  readonly own: readonly (ModelEntry | null)[];
  readonly kept: readonly ModelEntry[];
  readonly storage: StorageEstimate | null;
}

/** Looks for leftovers of interrupted conversions first. Nothing that is missing here is an error. */
export async function listModels(ownUrls: readonly string[], device: Device | null): Promise<ModelList> {
  const own = await Promise.all(
    ownUrls.map((url) => orNull(async () => entryOf(await fetchManifest(url), device))),
  );
  const kept = await orNull(async () => {
    const library = await Library.open();
    await library.tidy();
    return library.list();
  });
  return {
    own,
    kept: (kept ?? []).map((model) => keptEntry(model, device)),
    storage: await storageEstimate(),
  };
}

/** @throws LoadError */
export async function describeModel(url: string, device: Device | null): Promise<ModelEntry> {
  return entryOf(await fetchManifest(url), device);
}

export const keptEntry = ({ manifest, bytes }: Kept, device: Device | null): ModelEntry => ({
  ...entryOf(manifest, device),
  bytes,
});

function entryOf(manifest: Manifest, device: Device | null): ModelEntry {
  const memory = device && memoryFigures(manifest, device);
  const figures = { ...figuresOf(manifest), memory, flopsPerSecond: flopsPerSecond(manifest) };
  return { ...figures, hash: manifest.sha256, bytes: bytesOf(manifest) };
}

/** Of a manifest, or of a plan to make one. */
export function figuresOf(model: {
  readonly name: string;
  readonly license: string;
  readonly parameters: number;
  readonly model: ModelConfig;
}): ModelFigures {
  const { name, license, parameters } = model;
  const [frames, rows, columns] = downsampleOf(model.model.tokenizer);
  const [t, h, w] = model.model.grid;
  return { name, license, parameters, clip: [t * frames, h * rows, w * columns] };
}

async function orNull<T>(run: () => Promise<T>): Promise<T | null> {
  try {
    return await run();
  } catch (error) {
    if (error instanceof LoadError) return null;
    throw error;
  }
}

async function storageEstimate(): Promise<StorageEstimate | null> {
  const estimate = await navigator.storage?.estimate?.().catch(() => undefined);
  if (estimate?.quota === undefined) return null;
  return { used: estimate.usage ?? 0, quota: estimate.quota };
}
