import * as ort from 'onnxruntime-web';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { denseOf } from '../src/config/model';
import { switchBackend } from '../src/kernels/testing/backends';
import { lookUp } from '../src/model/codebook';
import { readDecoder, runDecoder } from '../src/model/decoder';
import { readTransformer, runTransformer } from '../src/model/transformer';
import { TINY_MODEL } from '../src/pipeline/testing/tinyModel';
import { hostLatents } from './cases/decode';
import { halfKnown, readLogits } from './cases/pass';
import { largestDifference } from './measure';
import { decoderGraph } from './onnx/decoder';
import { channelsLast, type Ort, openSession, ortDecoder, ortTransformer } from './onnx/session';
import { stockDecoder } from './stock/decoder';
import { stockTransformer } from './stock/transformer';
import { disposeAll, valuesOf } from './tensors';
import { type BenchModel, randomModel } from './weights';

const PATIENCE = 120_000;
const ORT: Ort = { module: ort, provider: 'wasm' };
const tiny = randomModel('tiny', { ...TINY_MODEL, tokenizer: { ...TINY_MODEL.tokenizer, norm: 'none' } });
const affine = randomModel('affine', {
  ...TINY_MODEL,
  tokenizer: { ...TINY_MODEL.tokenizer, norm: 'affine' },
});
const dense = randomModel('dense', { ...TINY_MODEL, transformer: denseOf(TINY_MODEL.transformer) });

beforeAll(async () => {
  ort.env.wasm.numThreads = 1;
  await switchBackend('wasm');
}, PATIENCE);

describe.each([
  ['MeBT', tiny],
  ['dense', dense],
])('a forward pass (%s)', (_, model: BenchModel) => {
  const sets = halfKnown(16, model.config.transformer.vocabulary);
  let ours: Float32Array;
  beforeAll(async () => {
    const parameters = readTransformer(model.config.transformer, model.reader());
    ours = await valuesOf(runTransformer(parameters, sets));
    disposeAll(parameters);
  }, PATIENCE);

  it('of onnxruntime-web gives our logits', { timeout: PATIENCE }, async () => {
    const { run, dispose } = await ortTransformer(ORT, model);
    expect(largestDifference(await run(sets), ours)).toBeLessThan(2e-5);
    await dispose();
  });

  it('of onnxruntime-web gives our logits with an empty context, too', { timeout: PATIENCE }, async () => {
    const nothing = { ...sets, context: new Int32Array(0) };
    const parameters = readTransformer(model.config.transformer, model.reader());
    const expected = await valuesOf(runTransformer(parameters, nothing));
    disposeAll(parameters);
    const { run, dispose } = await ortTransformer(ORT, model);
    expect(largestDifference(await run(nothing), expected)).toBeLessThan(2e-5);
    expect(largestDifference(expected, ours)).toBeGreaterThan(1e-3);
    await dispose();
  });

  it('read in chunks is the same', { timeout: PATIENCE }, async () => {
    const parameters = readTransformer(model.config.transformer, model.reader());
    expect(largestDifference(await readLogits(parameters, sets), ours)).toBe(0);
    disposeAll(parameters);
  });

  it('of plain tfjs gives our logits', { timeout: PATIENCE }, async () => {
    const { forward, dispose } = stockTransformer(model);
    expect(largestDifference(await valuesOf(forward(sets)), ours)).toBeLessThan(2e-5);
    dispose();
  });
});

describe.each([
  ['no norms', tiny],
  ['affine norms', affine],
])('a decode (%s)', (_, model: BenchModel) => {
  const grid = [2, 3, 2] as const;
  const ids = Int32Array.from({ length: 12 }, (__, i) => (i * 5) % model.config.tokenizer.codes);
  let ours: Float32Array;
  beforeAll(async () => {
    const decoder = readDecoder(model.config.tokenizer, model.reader());
    const latents = lookUp(decoder.codebook, ids, grid);
    ours = await valuesOf(runDecoder(decoder, latents));
    latents.dispose();
    disposeAll(decoder);
  }, PATIENCE);

  it('of onnxruntime-web gives our frames', { timeout: PATIENCE }, async () => {
    const { run, dispose } = await ortDecoder(ORT, model, grid);
    const frames = await run(channelsLast(hostLatents(model, ids), ids.length));
    expect(largestDifference(channelsLast(frames, 3), ours)).toBeLessThan(2e-5);
    await dispose();
  });

  it('of onnxruntime-web gives our frames without transposed convolutions', {
    timeout: PATIENCE,
  }, async () => {
    const { session } = await openSession(ORT, decoderGraph(model, grid, 'webgpu'), 'frames');
    const latents = channelsLast(hostLatents(model, ids), ids.length);
    const dims = [1, model.config.tokenizer.codeWidth, ...grid];
    const { frames } = await session.run({ latents: new ort.Tensor('float32', latents, dims) });
    expect(largestDifference(channelsLast(frames?.data as Float32Array, 3), ours)).toBeLessThan(2e-5);
    await session.release();
  });

  it('of plain tfjs gives our frames', { timeout: PATIENCE }, async () => {
    await switchBackend('wasm');
    const decoder = readDecoder(model.config.tokenizer, model.reader());
    const latents = lookUp(decoder.codebook, ids, grid);
    const { decode, dispose } = stockDecoder(model);
    expect(largestDifference(await valuesOf(decode(latents)), ours)).toBeLessThan(2e-5);
    latents.dispose();
    dispose();
    disposeAll(decoder);
  });
});

afterAll(() => switchBackend('cpu'));
