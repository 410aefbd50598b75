/** How long does a whole generation take, from a seed to frames? The same samplers drive every contender. */
import * as tf from '@tensorflow/tfjs-core';
import { defaultGenerationOptions, type GenerationOptions, modelFacts } from '../../src/config/generation';
import type { Extent3 } from '../../src/config/model';
import { decoderFlops, transformerFlops } from '../../src/model/flops';
import { createEngine } from '../../src/pipeline/engine';
import { generate } from '../../src/pipeline/generate';
import { sampleTokens } from '../../src/sampling/generate';
import { type GridState, predictFromLogits } from '../../src/sampling/steps';
import type { Piece } from '../allowance';
import { type Bench, type Contender, contest, type Opened } from '../contest';
import { openBuffers } from '../deviceBuffers';
import { channelsLast, ortDecoder, ortTransformer } from '../onnx/session';
import type { CaseName, Row } from '../rows';
import { partOf, QUICK } from '../sizes';
import { stockDecoder } from '../stock/decoder';
import { stockTransformer } from '../stock/transformer';
import { openTensors, valuesOf } from '../tensors';
import type { BenchModel } from '../weights';
import { hostLatents } from './decode';
import { narrowModel } from './pass';

export interface Clip {
  readonly model: BenchModel;
  readonly grid: Extent3;
  readonly options: GenerationOptions;
}

const FRAMES = 64;
/**
 * The same for every model and contender. By confidence, all predict all masked tokens; `spread` would spare our passes
 * what they do not keep, which says nothing of engines, and which the others do not know how to.
 */
const SAMPLING = { steps: 24, schedule: 'cosine', order: 'confidence', topP: 1 } as const;
/** Of `--quick`. */
const FEW_STEPS = 3;

export async function generateCase(bench: Bench, name: CaseName): Promise<Row[]> {
  const { stored, quick } = bench;
  const narrow = name.startsWith('narrow');
  const clip = clipOf(narrow ? narrowModel() : quick ? partOf(stored, QUICK) : stored, FRAMES, quick);
  const { model, grid, options } = clip;
  const more: Pick<Contender, 'flops' | 'pieces'> = narrow
    ? { flops: null }
    : { flops: null, pieces: piecesOf(clip) };
  return contest(bench, { name, work: `${grid.join('×')} tokens, ${options.steps} steps, ${model.name}` }, [
    { name: 'ours', ...more, patience: 2, open: () => openOurs(clip) },
    { name: 'tfjs-stock', ...more, open: () => openStock(clip) },
    { name: 'onnxruntime-web', ...more, patience: 2, open: () => openOrt(bench, clip) },
  ]);
}

export function clipOf(model: BenchModel, frames: number, quick: boolean): Clip {
  const facts = modelFacts(model.config);
  const [, rows, columns] = model.config.grid;
  const grid: Extent3 = quick
    ? [1, 1, 1]
    : [Math.max(1, Math.round(frames / facts.framesPerLatent)), rows, columns];
  const config = { ...model.config, grid };
  const options = {
    ...defaultGenerationOptions(modelFacts(config)),
    ...SAMPLING,
    frames: grid[0] * facts.framesPerLatent,
    seed: 1,
  };
  return { model: { ...model, config }, grid, options: quick ? { ...options, steps: FEW_STEPS } : options };
}

/** Steps at half context, which is their mean, and the decode. Revising is left out: an estimate only. */
function piecesOf({ model, grid, options }: Clip): Piece[] {
  const tokens = grid[0] * grid[1] * grid[2];
  const step = transformerFlops(model.config.transformer, tokens / 2, tokens / 2);
  return [
    { kind: 'forward', flops: options.steps * step },
    { kind: 'decode', flops: decoderFlops(model.config.tokenizer, (name) => model.host(name).shape, grid) },
  ];
}

function openOurs({ model, options }: Clip): Promise<Opened> {
  const { manifest } = model;
  if (!manifest) throw new Error('the engine is made from a manifest, and this model has none');
  return openTensors(async () => {
    const engine = await createEngine({ ...manifest, model: model.config }, model.reader());
    return {
      run: async () => {
        for await (const event of generate(engine, options)) if (event.type === 'clip') return undefined;
        throw new Error('the generation ended without a clip');
      },
      dispose: () => engine.dispose(),
    };
  });
}

/** Token ids of a whole clip, whoever predicts. */
async function sample(
  { grid, options }: Clip,
  logits: (state: GridState) => Promise<Float32Array>,
): Promise<Int32Array> {
  const predict = predictFromLogits(async function* (state) {
    yield { first: 0, count: state.target.length, logits: await logits(state) };
  });
  let tokens = new Int32Array(0);
  for await (const step of sampleTokens({ grid, options, predict })) tokens = step.tokens;
  return tokens;
}

function openStock(clip: Clip): Promise<Opened> {
  const { model, grid } = clip;
  return openTensors(() => {
    const transformer = stockTransformer(model);
    const decoder = stockDecoder(model);
    const shape: [number, number, number, number, number] = [1, ...grid, model.config.tokenizer.codeWidth];
    return {
      run: async () => {
        const ids = await sample(clip, (state) => valuesOf(transformer.forward(state)));
        const latents = tf.tensor5d(hostLatents(model, ids), shape);
        await valuesOf(decoder.decode(latents));
        latents.dispose();
        return undefined;
      },
      dispose: () => {
        transformer.dispose();
        decoder.dispose();
      },
    };
  });
}

async function openOrt({ ort }: Bench, clip: Clip): Promise<Opened> {
  if (typeof ort === 'string') throw new Error(ort);
  return openBuffers(ort.provider, async () => {
    const transformer = await ortTransformer(ort, clip.model);
    const decoder = await ortDecoder(ort, clip.model, clip.grid);
    return {
      note: transformer.note || decoder.note,
      run: async () => {
        const ids = await sample(clip, transformer.run);
        await decoder.run(channelsLast(hostLatents(clip.model, ids), ids.length));
        return undefined;
      },
      dispose: async () => {
        await transformer.dispose();
        await decoder.dispose();
      },
    };
  });
}
