/**
 * A folder of fixtures: its manifest and its tensors. Everything that the checks need to know of cases, sizes and
 * names comes from here. Runs in Node.
 */
import { existsSync, openAsBlob, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { blobSource, type CheckpointFile, openSafetensors, openTorchFile } from '../loader/checkpoint';

/** A tensor of a fixture file, F32, I32 or U8. */
export interface Fixture {
  readonly shape: readonly number[];
  readonly values: ArrayLike<number>;
}

/** The manifest of a folder, as far as it is used. Any section may be absent. */
export interface GoldenManifest {
  readonly config?: Readonly<Record<string, unknown>>;
  readonly files?: Readonly<Record<string, { readonly tensors?: Readonly<Record<string, string>> }>>;
  readonly cases?: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  readonly checkpoints?: Readonly<Record<string, CheckpointFacts>>;
  readonly runs?: Readonly<Record<string, RunFacts>>;
}

export interface CheckpointFacts {
  readonly note?: string;
  readonly top_level_keys?: readonly string[];
  readonly epoch?: number;
  readonly global_step?: number;
  readonly lightning?: string;
  /** Name → dtype, shape, sum, max |x|, first values; or a sentence: the same as another file. */
  readonly state_dict?: string | Readonly<Record<string, TensorFacts>>;
}
export type TensorFacts = readonly [dtype: string, shape: readonly number[], ...numbers: number[]];

export interface RunFacts {
  readonly file: string;
  readonly call: Readonly<Record<string, unknown>> & { readonly fn: string };
  readonly steps: readonly StepFacts[];
}
export interface StepFacts {
  readonly temperature: number;
  readonly top_k?: number | null;
  readonly top_p?: number | null;
  readonly strategy?: string;
  readonly context_temperature?: number;
  readonly n_masked?: number;
}

export class GoldenFolder {
  readonly manifest: GoldenManifest;
  readonly #opened = new Map<string, FixtureFile>();
  readonly #checkpoints = new Map<string, Promise<unknown>>();

  constructor(readonly path: string) {
    this.manifest = this.json('manifest.json') as GoldenManifest;
  }

  has(name: string): boolean {
    return existsSync(join(this.path, name));
  }

  json(name: string): unknown {
    return JSON.parse(readFileSync(join(this.path, name), 'utf8'));
  }

  bytes(name: string): Uint8Array {
    return readFileSync(join(this.path, name));
  }

  text(name: string): string {
    return readFileSync(join(this.path, name), 'utf8');
  }

  /** Tensors of a safetensors file; read once. */
  async file(name: string): Promise<FixtureFile> {
    const file = this.#opened.get(name) ?? (await readFixtures(join(this.path, name)));
    this.#opened.set(name, file);
    return file;
  }

  async checkpointFile(name: string): Promise<CheckpointFile> {
    return { name, source: blobSource(await openAsBlob(join(this.path, name))) };
  }

  /** The object in a file of torch.save; read once. */
  checkpoint(name: string): Promise<unknown> {
    const open = async (): Promise<unknown> => openTorchFile((await this.checkpointFile(name)).source);
    const checkpoint = this.#checkpoints.get(name) ?? open();
    this.#checkpoints.set(name, checkpoint);
    return checkpoint;
  }

  /** The fixture file of a section: `<section>.safetensors` if listed, else the first with such a tensor. */
  fileOf(section: string, hasTensor: (name: string) => boolean): string | undefined {
    const files = Object.entries(this.manifest.files ?? {});
    const named = files.find(([name]) => name === `${section}.safetensors`);
    return (named ?? files.find(([, { tensors }]) => Object.keys(tensors ?? {}).some(hasTensor)))?.[0];
  }

  /** Expected values that no check asked for, as `file: tensor`, and files that none opened. */
  unread(): string[] {
    const tensors = [...this.#opened].flatMap(([file, { unread }]) =>
      unread.map((name) => `${file}: ${name}`),
    );
    const files = Object.entries(this.manifest.files ?? {}).filter(([, facts]) => facts.tensors);
    return [...tensors, ...files.map(([name]) => name).filter((name) => !this.#opened.has(name))];
  }

  /** Parameters of the cases of a section. */
  cases<T>(section: string): [string, T][] {
    return Object.entries((this.manifest.cases?.[section] ?? {}) as Record<string, T>);
  }
}

/** Remembers which tensors were asked for, so that what nothing checks can be reported. */
export class FixtureFile {
  readonly #tensors: ReadonlyMap<string, Fixture>;
  readonly #read = new Set<string>();

  constructor(tensors: ReadonlyMap<string, Fixture>) {
    this.#tensors = tensors;
  }

  names(): string[] {
    return [...this.#tensors.keys()];
  }

  /** Noise is an input, and which of it a strategy uses is its own affair; the rest is expected. */
  get unread(): string[] {
    return this.names().filter((name) => !this.#read.has(name) && !/\.(q|q_mask|randn)$/.test(name));
  }

  has(name: string): boolean {
    return this.#tensors.has(name);
  }

  get(name: string): Fixture {
    const tensor = this.#tensors.get(name);
    if (!tensor) throw new Error(`The fixture has no tensor ${name}.`);
    this.#read.add(name);
    return tensor;
  }

  ints(name: string): Int32Array<ArrayBuffer> {
    return Int32Array.from(this.get(name).values);
  }

  floats(name: string): Float32Array<ArrayBuffer> {
    return Float32Array.from(this.get(name).values);
  }
}

async function readFixtures(path: string): Promise<FixtureFile> {
  const tensors = new Map<string, Fixture>();
  for (const [name, tensor] of await openSafetensors(blobSource(await openAsBlob(path)))) {
    tensors.set(name, { shape: tensor.shape, values: (await tensor.read()) as Float32Array });
  }
  return new FixtureFile(tensors);
}
