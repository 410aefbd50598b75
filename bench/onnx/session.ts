/**
 * Runs our networks in onnxruntime-web. The module itself is handed in: Node and the browser load different builds.
 */
import type * as ort from 'onnxruntime-web';
import type { Extent3 } from '../../src/config/model';
import type { TokenSets } from '../../src/model/transformer';
import type { BenchModel } from '../weights';
import { decoderGraph } from './decoder';
import { readsKnown, transformerGraph } from './transformer';

export type OrtModule = typeof ort;

/** onnxruntime-web as it was loaded for one backend. */
export interface Ort {
  readonly module: OrtModule;
  readonly provider: 'wasm' | 'webgpu';
}

export interface OrtRunner<Input, Output> {
  readonly run: (input: Input) => Promise<Output>;
  /** Empty, or how it falls short of running on the backend alone. */
  readonly note: string;
  readonly dispose: () => Promise<void>;
}

/** Logits [NT, V] of one forward pass. */
export async function ortTransformer(
  ort: Ort,
  model: BenchModel,
): Promise<OrtRunner<TokenSets, Float32Array>> {
  const { session, note } = await openSession(ort, transformerGraph(model), 'logits');
  const { Tensor } = ort.module;
  const integers = (values: Int32Array): ort.Tensor => new Tensor('int32', values, [values.length]);
  return {
    note,
    dispose: () => session.release(),
    run: async ({ tokens, context, target }) => {
      const empty = readsKnown(model) && context.length === 0;
      const positions = empty ? Int32Array.of(0) : context;
      const feeds = {
        contextTokens: integers(positions.map((position) => (empty ? 0 : (tokens[position] ?? 0)))),
        context: integers(positions),
        target: integers(target),
        ...(readsKnown(model) ? { known: new Tensor('float32', Float32Array.of(empty ? 0 : 1), [1]) } : {}),
      };
      return outputOf(await session.run(feeds), 'logits');
    },
  };
}

/** latents [1, D, T', H', W'] -> frames [1, 3, T, H, W]: channels first. */
export async function ortDecoder(
  ort: Ort,
  model: BenchModel,
  grid: Extent3,
): Promise<OrtRunner<Float32Array, Float32Array>> {
  const { session, note } = await openSession(ort, decoderGraph(model, grid, ort.provider), 'frames');
  const dims = [1, model.config.tokenizer.codeWidth, ...grid];
  return {
    note,
    dispose: () => session.release(),
    run: async (latents) =>
      outputOf(await session.run({ latents: new ort.module.Tensor('float32', latents, dims) }), 'frames'),
  };
}

/**
 * A session on the provider alone; where that is refused, one that may leave nodes to onnxruntime's cpu provider (which
 * is wasm), with a note that says so.
 */
export async function openSession(
  { module, provider }: Ort,
  bytes: Uint8Array,
  output: string,
): Promise<{ session: ort.InferenceSession; note: string }> {
  const options = (extra: Record<string, string>): ort.InferenceSession.SessionOptions => ({
    executionProviders: [provider],
    graphOptimizationLevel: 'all',
    preferredOutputLocation: { [output]: 'cpu' },
    logSeverityLevel: 3,
    // Threads that spin between two runs would take time from the other contenders.
    extra: { session: { force_spinning_stop: '1', ...extra } },
  });
  if (provider === 'wasm')
    return { session: await module.InferenceSession.create(bytes, options({})), note: '' };
  try {
    const alone = options({ disable_cpu_ep_fallback: '1' });
    return { session: await module.InferenceSession.create(bytes, alone), note: '' };
  } catch (error) {
    const reason = (error instanceof Error ? error.message : String(error)).split('\n')[0]?.slice(0, 160);
    const session = await module.InferenceSession.create(bytes, options({}));
    return { session, note: `some nodes run on onnxruntime's wasm instead of webgpu (${reason})` };
  }
}

function outputOf(outputs: ort.InferenceSession.OnnxValueMapType, name: string): Float32Array {
  const tensor = outputs[name];
  if (!tensor || !('data' in tensor) || !(tensor.data instanceof Float32Array)) {
    throw new Error(`onnxruntime-web gave no float32 output ${name}.`);
  }
  return tensor.data;
}

/** Transposes [C, P] to [P, C]. */
export function channelsLast(values: Float32Array, channels: number): Float32Array {
  const positions = values.length / channels;
  const turned = new Float32Array(values.length);
  for (let c = 0; c < channels; c++) {
    for (let p = 0; p < positions; p++) turned[p * channels + c] = values[c * positions + p] ?? 0;
  }
  return turned;
}
