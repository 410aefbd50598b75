/**
 * What a decode takes beside the weights: clips, found by going through it with sizes in their place
 * (model/decodePlan.ts), and what the kernels of a backend make on the way. Sizes only.
 */
import type { Extent3, ModelConfig } from '../config/model';
import type { TensorEntry } from '../loader/manifest';
import { chunkLength, planDecode, planWholeDecode } from '../model/decodePlan';
import type { StreamedLayers } from '../model/decoderStream';

export interface Buffers {
  readonly bytes: number;
  readonly largest: { readonly what: string; readonly bytes: number };
}

type Shapes = readonly Pick<TensorEntry, 'name' | 'shape'>[];

/** Results that wait for their submit on WebGPU (kernels/gpu.ts): freed clips among them are not free yet. */
const UNSUBMITTED = 64 * 2 ** 20;
/** Clips as large as the largest that plain operations make of a norm over the whole clip, on cpu and wasm. */
const NORM_CLIPS = 7;

/** @param latentFrames T' of the clip */
export function decoderBuffers(
  { tokenizer, grid }: ModelConfig,
  tensors: Shapes,
  backend: 'webgpu' | 'wasm' | 'cpu',
  latentFrames: number,
): Buffers {
  const layers = layersOf(tokenizer, tensors);
  const [, rows, columns] = grid;
  const latents = [1, latentFrames, rows, columns, tokenizer.codeWidth] as const;
  const whole = tokenizer.norm === 'group';
  const length = whole ? latentFrames : chunkLength(layers, latents);
  const plan = whole
    ? planWholeDecode(layers, [1, latentFrames, rows, columns])
    : planDecode(layers, latents, length);
  const work = workOf(layers, [length, rows, columns]);
  const waiting = Math.min(UNSUBMITTED, work.results);
  const made = Math.max(work.widest, whole ? NORM_CLIPS * plan.largestBuffer : 0);
  const aside = backend === 'webgpu' ? waiting : made;
  return {
    bytes: plan.peakBytes + aside,
    largest: { what: 'a layer of the decoder', bytes: plan.largestBuffer },
  };
}

interface Work {
  /** Bytes of all layers' results over one chunk. */
  readonly results: number;
  /** Most bytes that a layer's kernel makes beside its result, where frames are packed for a product (conv3d/wasm.ts). */
  readonly widest: number;
}

function workOf({ postQuantization, stages, output }: StreamedLayers, chunk: Extent3): Work {
  let [frames, rows, columns] = chunk;
  let [results, widest] = [0, 0];
  const bytes = (channels: number): number => 4 * frames * rows * columns * channels;
  const convolve = (kernel: Extent3, inputs: number, outputs: number): void => {
    const border = ((rows + kernel[1] - 1) * (columns + kernel[2] - 1)) / (rows * columns);
    // Frames stacked along the channels, and the product before what it is added to.
    widest = Math.max(widest, bytes(kernel[0] * inputs) * border + bytes(outputs));
    results += bytes(outputs);
  };
  convolve(postQuantization.kernel, postQuantization.inputs, postQuantization.outputs);
  results += bytes(postQuantization.outputs); // the norm
  for (const { up, blocks } of stages) {
    const taps = Math.ceil(up.kernel[0] / up.stride[0]);
    const packed = bytes(taps * up.inputs) * (1 + 1 / rows) * (1 + 1 / columns) * (1 + 1 / frames);
    [frames, rows, columns] = [frames * up.stride[0], rows * up.stride[1], columns * up.stride[2]];
    widest = Math.max(widest, packed + bytes(up.outputs)); // one phase's frames, and all phases before they are joined
    results += bytes(up.outputs);
    for (const { conv1, conv2 } of blocks) {
      for (const { kernel, inputs, outputs } of [conv1, conv2]) {
        results += bytes(inputs); // its norm
        convolve(kernel, inputs, outputs);
      }
    }
  }
  convolve(output.kernel, output.inputs, output.outputs);
  return { results, widest };
}

/** A decoder's layers as their sizes; the shapes tell the kernels. */
function layersOf(
  { codeWidth, decoder, norm: kind }: ModelConfig['tokenizer'],
  tensors: Shapes,
): StreamedLayers {
  const shapes = new Map(tensors.map(({ name, shape }) => [name, shape]));
  const layer = (name: string, inputs: number, outputs: number, usual: number) => {
    const [t = usual, h = usual, w = usual, I = inputs, O = outputs] =
      shapes.get(`tokenizer.${name}.weight`) ?? [];
    return { kernel: [t, h, w] as const, inputs: I, outputs: O };
  };
  const norm = { kind };
  const postQuantization = layer('postQuantization', codeWidth, codeWidth, 1);
  let channels = postQuantization.outputs;
  const stages = decoder.map((stage, i) => {
    const name = `decoder.stages.${i}`;
    const up = { ...layer(`${name}.up`, channels, stage.channels, 4), stride: stage.stride };
    channels = stage.channels;
    const conv = (j: number, part: string) => layer(`${name}.blocks.${j}.${part}`, channels, channels, 3);
    const blocks = Array.from({ length: stage.residualBlocks }, (_, j) => ({
      norm1: norm,
      conv1: conv(j, 'conv1'),
      norm2: norm,
      conv2: conv(j, 'conv2'),
    }));
    return { up, blocks };
  });
  const output = layer('decoder.output', channels, 3, 3);
  // Without weights: a plan looks at sizes alone.
  return { postQuantization, inputNorm: norm, stages, output } as unknown as StreamedLayers;
}
