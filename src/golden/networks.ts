/** Checks of transformer and tokenizer against the fixtures, stage by stage, on the current backend. */
import * as tf from '@tensorflow/tfjs-core';
import type { Scene, Trait } from '../config/scene';
import { lookUp, nearestCodes } from '../model/codebook';
import { runEncoder } from '../model/encoder';
import { type TokenSets, tellScene } from '../model/transformer';
import { channelsLast, expectClose, expectSame, limits, magnitude } from './compare';
import type { Fixture, FixtureFile, GoldenFolder } from './folder';
import { decodeCodes, type LoadedCheckpoint, logitsOf, Observer, readBack } from './model';
import type { Report } from './report';

/** What a transformer was told, by the name of a case. */
interface ToldCases {
  readonly traits: readonly Trait[];
  readonly scenes: Readonly<Record<string, { readonly scene: Scene; readonly latent_frames: number }>>;
}

/** Opens a checkpoint once, whoever asks. */
export type OpenCheckpoint = (file: string) => Promise<LoadedCheckpoint>;

/** The float32 checkpoint with a transformer that fixtures mean when they name none. */
export function mainCheckpoint(folder: GoldenFolder): string | undefined {
  return Object.entries(folder.manifest.checkpoints ?? {}).find(([, { state_dict: tensors }]) => {
    return typeof tensors === 'object' && tensors['tok_emb.weight']?.[0] === 'float32';
  })?.[0];
}

export function setsOf(file: FixtureFile, label: string): TokenSets {
  return {
    batch: file.get(`${label}.target_indices`).shape[0] ?? 1,
    tokens: file.ints(`${label}.x_indices`),
    context: file.ints(`${label}.context_indices`),
    target: file.ints(`${label}.target_indices`),
  };
}

export async function checkTransformer(
  folder: GoldenFolder,
  report: Report,
  open: OpenCheckpoint,
): Promise<void> {
  const name = folder.fileOf('transformer', (tensor) => tensor.endsWith('.context_indices'));
  const main = mainCheckpoint(folder);
  if (!name || !main) return;
  const file = await folder.file(name);
  const checkpoints = Object.keys(folder.manifest.checkpoints ?? {});
  for (const [label, { note = '' }] of folder.cases<{ note?: string }>('transformer')) {
    await report.check(`transformer ${label}`, async () => {
      const checkpoint = await open(checkpoints.find((path) => note.includes(path)) ?? main);
      const transformer = checkpoint.transformer();
      try {
        return expectClose(
          await logitsOf(transformer, setsOf(file, label)),
          file.get(`${label}.logits`),
          limits().logits,
        );
      } finally {
        tf.dispose(transformer as unknown as tf.TensorContainerObject);
      }
    });
  }
  await checkBlocks(folder, report, await open(main), file);
}

/** The main checkpoint's transformer with a trait table beside it, told scenes. */
export async function checkTold(folder: GoldenFolder, report: Report, open: OpenCheckpoint): Promise<void> {
  const name = folder.fileOf('told', (tensor) => tensor === 'trait_embedding');
  const main = mainCheckpoint(folder);
  const { cases, config } = folder.manifest;
  if (!name || !main || !cases?.told || !config) return;
  const file = await folder.file(name);
  const checkpoint = await open(main);
  const { traits = [], scenes = {} } = cases.told as Partial<ToldCases>;
  const [, rows = 1, columns = 1] = config.latent_shape as number[];
  for (const [label, { scene, latent_frames: frames }] of Object.entries(scenes)) {
    await report.check(`told ${label}`, async () => {
      const transformer = checkpoint.transformer();
      const { shape, values } = file.get('trait_embedding');
      const traitEmbedding = tf.tensor2d(Float32Array.from(values), shape as [number, number]);
      const able = { ...transformer, traitEmbedding, config: { ...transformer.config, traits } };
      const told = tellScene(able, scene, [frames, rows, columns]);
      try {
        const got = await logitsOf(told, setsOf(file, label));
        return expectClose(got, file.get(`${label}.logits`), limits().logits);
      } finally {
        tf.dispose([transformer, traitEmbedding, told.told] as unknown as tf.TensorContainerObject);
      }
    });
  }
}

/** Every recorded activation must be observed and agree. */
async function checkBlocks(
  folder: GoldenFolder,
  report: Report,
  checkpoint: LoadedCheckpoint,
  inputs: FixtureFile,
): Promise<void> {
  const name = folder.fileOf('transformer_blocks', (tensor) => tensor.endsWith('.input.sos'));
  if (!name) return;
  const file = await folder.file(name);
  const labels = file.names().filter((tensor) => tensor.endsWith('.input.sos'));
  for (const label of labels.map((tensor) => tensor.slice(0, -'.input.sos'.length))) {
    const transformer = checkpoint.transformer();
    const observer = new Observer();
    await logitsOf(transformer, setsOf(inputs, label), observer.observe);
    tf.dispose(transformer as unknown as tf.TensorContainerObject);
    const seen = await observer.values();
    for (const [part, expected] of partsOf(file, label)) {
      const limit =
        part === 'logits' ? limits().logits : limits().activations * Math.max(1, magnitude(expected));
      await report.check(`transformer blocks ${label}.${part}`, () =>
        expectClose(seenAs(seen, part), expected, limit),
      );
    }
  }
}

function seenAs(seen: ReadonlyMap<string, Fixture>, name: string): Fixture {
  const value = seen.get(name);
  if (!value) throw new Error(`the model shows no ${name}`);
  return value;
}

/** The tokenizers of the manifest: parts of `config` that name a checkpoint of their own. */
export async function checkTokenizers(
  folder: GoldenFolder,
  report: Report,
  open: OpenCheckpoint,
): Promise<void> {
  for (const [section, facts] of Object.entries(folder.manifest.config ?? {})) {
    const checkpointFile = (facts as { file?: unknown } | null)?.file;
    if (typeof checkpointFile !== 'string' || !(section in (folder.manifest.cases ?? {}))) continue;
    const name = folder.fileOf(section, () => false);
    if (!name) {
      report.skip(section, `the manifest lists no file ${section}.safetensors`);
      continue;
    }
    const file = await folder.file(name);
    const checkpoint = await open(checkpointFile);
    await checkDecoder(section, file, checkpoint, report);
    await checkEncoder(section, file, checkpoint, report);
  }
}

/** The parts `<label>` for which there is a tensor `<label>.<part>`. */
function labelsWith(file: FixtureFile, part: string): string[] {
  const names = file.names().filter((name) => name.endsWith(`.${part}`));
  return names.map((name) => name.slice(0, -part.length - 1));
}

/** Tensors of one label by what follows it. */
function partsOf(file: FixtureFile, label: string): [part: string, expected: Fixture][] {
  const names = file.names().filter((name) => name.startsWith(`${label}.`));
  return names.map((name) => [name.slice(label.length + 1), file.get(name)]);
}

async function checkDecoder(
  section: string,
  file: FixtureFile,
  checkpoint: LoadedCheckpoint,
  report: Report,
): Promise<void> {
  for (const label of labelsWith(file, 'code_map')) {
    const decoder = checkpoint.decoder();
    const observer = new Observer();
    const parts = partsOf(file, label).filter(([part]) => part !== 'code_map');
    const watched = parts.some(([part]) => part !== 'video'); // plain decoding must work unwatched
    const video = await decodeCodes(
      decoder,
      file.get(`${label}.code_map`),
      watched ? observer.observe : undefined,
    );
    tf.dispose(decoder as unknown as tf.TensorContainerObject);
    const seen = new Map([...(await observer.values()), ['video', video] as const]);
    for (const [part, expected] of parts) {
      await report.check(`${section} ${label}.${part}`, () => {
        const last = part === 'lookup' ? expected : channelsLast(expected);
        const limit =
          part === 'video' ? limits().video : limits().activations * Math.max(1, magnitude(expected));
        return expectClose(seenAs(seen, part), last, limit);
      });
    }
  }
}

async function checkEncoder(
  section: string,
  file: FixtureFile,
  checkpoint: LoadedCheckpoint,
  report: Report,
): Promise<void> {
  for (const label of labelsWith(file, 'video_u8')) {
    const seen = await encodeObserved(checkpoint, file.get(`${label}.video_u8`));
    for (const [part, expected] of partsOf(file, label)) {
      if (part === 'video_u8') continue;
      await report.check(`${section} ${label}.${part}`, () => {
        if (part === 'indices') return expectSame(seenAs(seen, part).values, expected.values, part);
        if (part === 'distance_gap') return expectClose(seenAs(seen, part), expected, limits().distanceGap);
        const isLatent = part === 'pre_vq' || part === 'pre_vq_conv';
        const limit = isLatent
          ? limits().preQuantization
          : limits().activations * Math.max(1, magnitude(expected));
        return expectClose(seenAs(seen, part), channelsLast(expected), limit);
      });
    }
  }
}

/** Everything that a fixture of the encoder may hold, by its names. */
async function encodeObserved(checkpoint: LoadedCheckpoint, video: Fixture): Promise<Map<string, Fixture>> {
  const { shape, values } = channelsLast(video);
  const [encoder, decoder] = [checkpoint.encoder(), checkpoint.decoder()];
  const pixels: tf.Tensor = tf.tensor(
    Float32Array.from(values, (level) => level / 255 - 0.5),
    [...shape],
  );
  const clip = pixels as tf.Tensor5D;
  const observer = new Observer();
  const vectors = runEncoder(encoder, clip, observer.observe);
  const ids = await nearestCodes(decoder.codebook, vectors);
  const [batch = 1, t = 1, h = 1, w = 1] = vectors.shape;
  const embeddings = await readBack(lookUp(decoder.codebook, ids, [t, h, w], batch));
  const codebook: Fixture = { shape: decoder.codebook.shape, values: await decoder.codebook.data() };
  const latents = await readBack(vectors);
  tf.dispose([clip, encoder, decoder] as unknown as tf.TensorContainer);
  const grid = [batch, t, h, w];
  return new Map<string, Fixture>([
    ...(await observer.values()),
    ['pre_vq', latents],
    ['indices', { shape: grid, values: ids }],
    ['embeddings', embeddings],
    ['distance_gap', { shape: grid, values: distanceGaps(latents, codebook) }],
  ]);
}

/** Squared distance to the second nearest code less that to the nearest, for each vector. */
function distanceGaps({ shape, values }: Fixture, codebook: Fixture): Float32Array {
  const width = shape.at(-1) ?? 1;
  const gaps = new Float32Array(values.length / width);
  for (let vector = 0; vector < gaps.length; vector++) {
    const distances = Array.from({ length: codebook.shape[0] ?? 0 }, (_, code) => {
      let distance = 0;
      for (let i = 0; i < width; i++) {
        distance += ((values[vector * width + i] ?? 0) - (codebook.values[code * width + i] ?? 0)) ** 2;
      }
      return distance;
    }).sort((a, b) => a - b);
    gaps[vector] = (distances[1] ?? 0) - (distances[0] ?? 0);
  }
  return gaps;
}
