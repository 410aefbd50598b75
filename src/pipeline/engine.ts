/**
 * A model that is ready to run: typed parameters on the current backend, and how to paint its codes. Ties the
 * loader's tensors to the model's parameters; what is done with them is in generate.ts.
 */
import * as tf from '@tensorflow/tfjs-core';
import type { Manifest } from '../loader';
import { compilePipelines } from '../model/compile';
import { type DecoderParameters, readDecoder } from '../model/decoder';
import type { WeightReader } from '../model/parameters';
import { readTransformer, type TransformerParameters } from '../model/transformer';
import { CounterNoise } from '../sampling/random';
import type { PreviewTable } from '../worker/protocol';
import { predictorOf } from './predict';
import { previewTable } from './preview';

export interface Engine {
  readonly manifest: Manifest;
  readonly transformer: TransformerParameters;
  /** With the codebook. */
  readonly decoder: DecoderParameters;
  readonly preview: PreviewTable;
  /** Frees every tensor. Call once; not after the device was lost. */
  dispose(): void;
}

/**
 * Uploads the weights to the current backend and warms it up, so that the first step is not the slow one.
 * @throws whatever `read` throws when a tensor is missing or misshapen; nothing stays uploaded then
 */
export async function createEngine(manifest: Manifest, read: WeightReader): Promise<Engine> {
  const { model, tensors } = manifest;
  const parameters = keepTensorsOf(() => ({
    transformer: readTransformer(model.transformer, read),
    decoder: readDecoder(model.tokenizer, read),
  }));
  try {
    const preview = await previewTable(parameters.decoder, read, tensors);
    await compilePipelines(parameters.transformer, parameters.decoder, model.grid);
    await warmUp(parameters.transformer);
    return { manifest, ...parameters, preview, dispose: () => disposeTensorsOf(parameters) };
  } catch (error) {
    disposeTensorsOf(parameters);
    throw error;
  }
}

/** tidy keeps the tensors in the result and frees the rest, also when `make` throws. */
function keepTensorsOf<T extends object>(make: () => T): T {
  return tf.tidy(make as () => object as () => tf.TensorContainerObject) as T;
}

function disposeTensorsOf(parameters: object): void {
  tf.dispose(parameters as tf.TensorContainerObject);
}

/** One step over three tokens: compiles the kernels of a step and moves the transformer's weights to the device. */
async function warmUp(transformer: TransformerParameters): Promise<void> {
  if (transformer.config.positions < 3) return;
  await predictorOf(transformer).predict({
    batch: 1,
    tokens: new Int32Array(3),
    context: Int32Array.of(0),
    target: Int32Array.of(1, 2),
    filter: { temperature: 1 },
    noise: new CounterNoise(0),
    step: 0,
  });
}
