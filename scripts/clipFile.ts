/**
 * Clips on disk for the evaluation in Python: clips.npy, uint8 [N, T, H, W, 3], and clips.json beside it, which says how
 * they were made, how many are finished, and what each is of, where the model was told. A clip counts once it is written
 * whole; what follows it is no data.
 */
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import type { Scene } from '../src/config/scene';
import type { ClipData } from '../src/worker/protocol';

/** T, H, W. */
export type ClipExtent = readonly [frames: number, height: number, width: number];

/** Of the header of a .npy, so that a larger count can be written over a smaller one. */
const HEADER_BYTES = 128;

/** What makes clips the same: anything that JSON can hold. */
export type Recipe = Readonly<Record<string, unknown>>;

export class ClipFile {
  private constructor(
    private readonly file: FileHandle,
    private readonly folder: string,
    private readonly recipe: Recipe,
    private readonly extent: ClipExtent,
    private readonly count: number,
    private finished: number,
    private readonly scenes: Scene[],
  ) {}

  /**
   * Makes the folder, or goes on with what is in it.
   * @throws Error where the folder holds clips of another recipe
   */
  static async open(folder: string, recipe: Recipe, extent: ClipExtent, count: number): Promise<ClipFile> {
    mkdirSync(folder, { recursive: true });
    const { finished, scenes } = finishedIn(folder, recipe);
    const path = join(folder, 'clips.npy');
    const file = await open(path, existsSync(path) && finished > 0 ? 'r+' : 'w+');
    const clips = new ClipFile(file, folder, recipe, extent, Math.max(count, finished), finished, scenes);
    await clips.begin();
    return clips;
  }

  /** Clips that are there: the number of the next one. */
  get done(): number {
    return this.finished;
  }

  /** Appends a clip; its alpha is dropped. `scene`: what the model was told, of all clips of a folder or of none. */
  async write({ pixels, frames, height, width }: ClipData, scene: Scene | null): Promise<void> {
    const [t, h, w] = this.extent;
    if (frames !== t || height !== h || width !== w) {
      throw new RangeError(
        `ClipFile: clips are ${t}×${h}×${w} (frames, rows, columns), got ${frames}×${height}×${width}.`,
      );
    }
    if (this.finished >= this.count) throw new RangeError(`ClipFile: all ${this.count} clips are written.`);
    const bytes = withoutAlpha(pixels);
    await this.file.write(bytes, 0, bytes.length, HEADER_BYTES + this.finished * bytes.length);
    await this.file.datasync();
    this.finished++;
    if (scene) this.scenes.push(scene);
    this.describe();
  }

  async close(): Promise<void> {
    await this.file.close();
  }

  private async begin(): Promise<void> {
    const header = npyHeader([this.count, ...this.extent, 3]);
    await this.file.write(header, 0, header.length, 0);
    const [t, h, w] = this.extent;
    await this.file.truncate(HEADER_BYTES + this.count * t * h * w * 3);
    this.describe();
  }

  /** By way of another name, so that an interruption never leaves half a file. */
  private describe(): void {
    const path = join(this.folder, 'clips.json');
    const scenes = this.scenes.length > 0 ? { scenes: this.scenes } : {};
    const facts = { ...this.recipe, count: this.count, finished: this.finished, ...scenes };
    writeFileSync(`${path}.new`, `${JSON.stringify(facts, null, 1)}\n`);
    renameSync(`${path}.new`, path);
  }
}

function finishedIn(folder: string, recipe: Recipe): { finished: number; scenes: Scene[] } {
  const path = join(folder, 'clips.json');
  if (!existsSync(path)) return { finished: 0, scenes: [] };
  const { count: _count, finished, scenes, ...found } = JSON.parse(readFileSync(path, 'utf8')) as Recipe;
  if (!isDeepStrictEqual(found, JSON.parse(JSON.stringify(recipe)))) {
    throw new Error(
      `${folder} holds clips that were made otherwise: ${JSON.stringify(found)}. Name another folder, or remove it.`,
    );
  }
  return {
    finished: typeof finished === 'number' ? finished : 0,
    scenes: Array.isArray(scenes) ? (scenes as Scene[]) : [],
  };
}

/** RGBA8 → RGB8. */
export function withoutAlpha(pixels: Uint8ClampedArray): Uint8Array {
  const rgb = new Uint8Array((pixels.length / 4) * 3);
  for (let from = 0, to = 0; from < pixels.length; from += 4, to += 3) {
    rgb[to] = pixels[from] ?? 0;
    rgb[to + 1] = pixels[from + 1] ?? 0;
    rgb[to + 2] = pixels[from + 2] ?? 0;
  }
  return rgb;
}

/** Version 1.0 of NumPy's format (numpy.lib.format), padded with spaces to HEADER_BYTES. */
export function npyHeader(shape: readonly number[]): Uint8Array {
  const text = `{'descr': '|u1', 'fortran_order': False, 'shape': (${shape.join(', ')}), }`;
  const start = Uint8Array.of(0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, 1, 0, HEADER_BYTES - 10, 0);
  if (text.length > HEADER_BYTES - 11) throw new RangeError(`npyHeader: shape [${shape}] is too long.`);
  return Buffer.concat([start, Buffer.from(`${text.padEnd(HEADER_BYTES - 11)}\n`, 'latin1')]);
}
