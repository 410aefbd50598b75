/** How long does a whole generation take, from a seed to frames? The same samplers drive every contender. */
import * as tf from '@tensorflow/tfjs-core';
import { defaultGenerationOptions, type GenerationOptions, modelFacts } from '../../src/config/generation';
import type { Extent3 } from '../../src/config/model';
import { createEngine } from '../../src/pipeline/engine';
import { generate } from '../../src/pipeline/generate';
import { sampleTokens } from '../../src/sampling/generate';
import { type GridState, predictFromLogits } from '../../src/sampling/steps';
import { type Bench, contest, type Opened } from '../contest';
import { openBuffers } from '../deviceBuffers';
import { channelsLast, ortDecoder, ortTransformer } from '../onnx/session';
import type { Row } from '../rows';
import { gridOf, modelOfSize } from '../sizes';
import { stockDecoder } from '../stock/decoder';
import { stockTransformer } from '../stock/transformer';
import { openTensors, valuesOf } from '../tensors';
import type { BenchModel } from '../weights';
import { hostLatents } from './decode';

interface Clip {
  readonly model: BenchModel;
  readonly grid: Extent3;
  readonly options: GenerationOptions;
}

export async function generateCase(bench: Bench): Promise<Row[]> {
  const stored = modelOfSize(bench.stored, bench.size, 0);
  const framesPerLatent = modelFacts(stored.config).framesPerLatent;
  const grid = gridOf(bench.size, 64, framesPerLatent);
  const model = { ...stored, config: { ...stored.config, grid } };
  const frames = grid[0] * framesPerLatent;
  const options = { ...defaultGenerationOptions(modelFacts(model.config)), frames, seed: 1 };
  if (bench.size.name === 'quick') options.steps = 3;
  const clip: Clip = { model, grid, options };
  return contest(bench, 'generate-64', `${grid.join('×')} tokens, ${options.steps} steps, ${model.name}`, [
    { name: 'ours', open: () => openOurs(clip) },
    { name: 'tfjs-stock', open: () => openStock(clip) },
    { name: 'onnxruntime-web', open: () => openOrt(bench, clip) },
  ]);
}

function openOurs({ model, options }: Clip): Promise<Opened> {
  const { manifest } = model;
  if (!manifest) throw new Error('the engine is made from a manifest, and this model has none');
  return openTensors(async () => {
    const engine = await createEngine({ ...manifest, model: model.config }, model.reader());
    return {
      flops: null,
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
      flops: null,
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
      flops: null,
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
