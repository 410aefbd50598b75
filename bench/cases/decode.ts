/** How long does it take to turn tokens into 16, 64 and 128 frames? */
import * as tf from '@tensorflow/tfjs-core';
import { downsampleOf, type Extent3 } from '../../src/config/model';
import { lookUp } from '../../src/model/codebook';
import { decodeInChunks } from '../../src/model/decodeInChunks';
import { type DecoderParameters, readDecoder } from '../../src/model/decoder';
import { decoderFlops } from '../../src/model/flops';
import { type Bench, contest, type Opened } from '../contest';
import { openBuffers } from '../deviceBuffers';
import { channelsLast, ortDecoder } from '../onnx/session';
import type { CaseName, Row } from '../rows';
import { stockDecoder } from '../stock/decoder';
import { disposeAll, openTensors, valuesOf } from '../tensors';
import type { BenchModel } from '../weights';

interface Clip {
  readonly model: BenchModel;
  readonly grid: Extent3;
  /** [T'·H'·W'] codes. */
  readonly ids: Int32Array;
}

/** Rows and columns of the probe's token grid: a sixteenth of the pixels. */
const SMALL = 4;

/** Up to here onnxruntime-web has twice the time on WebGPU, too: a target compares them. */
const PATIENT_FRAMES = 16;

export async function decodeCase(bench: Bench, name: CaseName): Promise<Row[]> {
  const { quick, stored: model } = bench;
  const frames = Number(name.split('-')[1]) / (quick ? 8 : 1);
  const [framesPerLatent] = downsampleOf(model.config.tokenizer);
  const [, rows, columns] = model.config.grid;
  const small = quick ? 1 : name.endsWith('small') ? SMALL : undefined;
  const latentFrames = Math.max(1, Math.round(frames / framesPerLatent));
  const grid: Extent3 = [latentFrames, small ?? rows, small ?? columns];
  const { codes } = model.config.tokenizer;
  const ids = Int32Array.from({ length: grid[0] * grid[1] * grid[2] }, (_, i) => (i * 37) % codes);
  const clip: Clip = { model, grid, ids };
  const flops = decoderFlops(model.config.tokenizer, (name) => model.host(name).shape, grid);
  return contest(bench, { name, work: `${grid.join('×')} tokens, ${model.name}` }, [
    { name: 'ours', flops, patience: 2, open: () => openOurs(clip) },
    { name: 'tfjs-stock', flops, open: () => openStock(clip) },
    {
      name: 'onnxruntime-web',
      flops,
      patience: bench.backend === 'wasm' || frames <= PATIENT_FRAMES ? 2 : 1,
      open: () => openOrt(bench, clip),
    },
  ]);
}

/** As the product decodes: a latent frame at a time. */
function openOurs({ model, grid, ids }: Clip): Promise<Opened> {
  return openTensors(() => {
    const decoder = readDecoder(model.config.tokenizer, model.reader());
    return { run: () => decodeAll(decoder, ids, grid), dispose: () => disposeAll(decoder) };
  });
}

/** Frames [T, H, W, 3], read chunk by chunk. */
export async function decodeAll(
  decoder: DecoderParameters,
  ids: Int32Array,
  grid: Extent3,
): Promise<Float32Array> {
  const latents = lookUp(decoder.codebook, ids, grid);
  const chunks: Float32Array[] = [];
  try {
    for await (const { frames } of decodeInChunks(decoder, latents)) chunks.push(await valuesOf(frames));
  } finally {
    latents.dispose();
  }
  const all = new Float32Array(chunks.reduce((sum, { length }) => sum + length, 0));
  let offset = 0;
  for (const chunk of chunks) {
    all.set(chunk, offset);
    offset += chunk.length;
  }
  return all;
}

/** Latents of `ids` on the host, [T'·H'·W', D]. */
export function hostLatents({ host }: BenchModel, ids: Int32Array): Float32Array<ArrayBuffer> {
  const { data, shape } = host('tokenizer.codebook');
  const width = shape[1] ?? 1;
  const latents = new Float32Array(ids.length * width);
  ids.forEach((id, i) => {
    latents.set(data.subarray(id * width, (id + 1) * width), i * width);
  });
  return latents;
}

/** The whole clip at once. */
function openStock({ model, grid, ids }: Clip): Promise<Opened> {
  return openTensors(() => {
    const { decode, dispose } = stockDecoder(model);
    const values = hostLatents(model, ids);
    const shape: [number, number, number, number, number] = [1, ...grid, model.config.tokenizer.codeWidth];
    return {
      run: async () => {
        const latents = tf.tensor5d(values, shape);
        try {
          return await valuesOf(decode(latents));
        } finally {
          latents.dispose();
        }
      },
      dispose,
    };
  });
}

async function openOrt({ ort }: Bench, { model, grid, ids }: Clip): Promise<Opened> {
  if (typeof ort === 'string') throw new Error(ort);
  const latents = channelsLast(hostLatents(model, ids), ids.length); // [D, T'·H'·W']
  return openBuffers(ort.provider, async () => {
    const { run, note, dispose } = await ortDecoder(ort, model, grid);
    // Turning the frames' channels to the end, a part of a per cent of the time, makes outputs comparable.
    return { run: async () => channelsLast(await run(latents), 3), note, dispose };
  });
}
