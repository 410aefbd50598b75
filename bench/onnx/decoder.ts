/**
 * The tokenizer's decoder as an ONNX graph, channels first as that format wants it: the same weights and padding as
 * src/model/decoder.ts, for norms `none` and `affine`.
 */
import type { Extent3 } from '../../src/config/model';
import { samePadding3 } from '../../src/kernels/conv3d/padding';
import type { BenchModel, HostTensor } from '../weights';
import { GraphBuilder, type Ref } from './builder';

interface Context {
  readonly graph: GraphBuilder;
  readonly model: BenchModel;
}

/** Input `latents` [1, D, T', H', W'], output `frames` [1, 3, T, H, W]. Throws on a model with GroupNorm. */
export function decoderGraph(model: BenchModel, grid: Extent3): Uint8Array {
  const { norm, codeWidth, decoder } = model.config.tokenizer;
  if (norm === 'group')
    throw new RangeError('decoderGraph: GroupNorm is not written here; use another model.');
  const graph = new GraphBuilder();
  const context: Context = { graph, model };
  let x = graph.input('latents', 'float32', [1, codeWidth, ...grid]);
  x = conv(context, x, 'tokenizer.postQuantization');
  x = normSilu(context, x, 'tokenizer.decoder.inputNorm');
  decoder.forEach(({ stride, residualBlocks }, i) => {
    const stage = `tokenizer.decoder.stages.${i}`;
    x = upConv(context, x, `${stage}.up`, stride);
    for (let j = 0; j < residualBlocks; j++) x = residual(context, x, `${stage}.blocks.${j}`);
  });
  graph.output(conv(context, x, 'tokenizer.decoder.output'), 'frames', [1, 3, 'T', 'H', 'W']);
  return graph.finish();
}

function residual(context: Context, x: Ref, name: string): Ref {
  const first = conv(context, normSilu(context, x, `${name}.norm1`), `${name}.conv1`);
  const second = conv(context, normSilu(context, first, `${name}.norm2`), `${name}.conv2`);
  return context.graph.node('Add', [second, x]);
}

/** SiLU of the channels' affine norm, where the model has one. */
function normSilu({ graph, model }: Context, x: Ref, name: string): Ref {
  let normal = x;
  if (model.config.tokenizer.norm === 'affine') {
    const perChannel = ({ data }: HostTensor): Ref => graph.weight(data, [1, data.length, 1, 1, 1]);
    normal = graph.node('Mul', [normal, perChannel(model.host(`${name}.scale`))]);
    normal = graph.node('Add', [normal, perChannel(model.host(`${name}.bias`))]);
  }
  return graph.node('Mul', [normal, graph.node('Sigmoid', [normal])]);
}

/** Repeats the edges, front and behind along each axis. */
function pad({ graph }: Context, x: Ref, kernel: Extent3, stride: Extent3): Ref {
  const paddings = samePadding3(kernel, stride);
  if (paddings.every(([front, behind]) => front + behind === 0)) return x;
  const amounts = [0, 0, ...paddings.map(([front]) => front), 0, 0, ...paddings.map(([, behind]) => behind)];
  return graph.node('Pad', [x, graph.integers(amounts)], { mode: 'edge' });
}

function conv(context: Context, x: Ref, name: string): Ref {
  const { graph, model } = context;
  const { shape, data } = channelsFirst(model.host(`${name}.weight`), 'outputs');
  const bias = model.host(`${name}.bias`);
  const kernel = shape.slice(2) as unknown as Extent3;
  return graph.node(
    'Conv',
    [pad(context, x, kernel, [1, 1, 1]), graph.weight(data, shape), graph.weight(bias.data, bias.shape)],
    { kernel_shape: kernel, strides: [1, 1, 1] },
  );
}

function upConv(context: Context, x: Ref, name: string, stride: Extent3): Ref {
  const { graph, model } = context;
  const { shape, data } = channelsFirst(model.host(`${name}.weight`), 'inputs');
  const bias = model.host(`${name}.bias`);
  const kernel = shape.slice(2) as unknown as Extent3;
  const crop = kernel.map((k) => k - 1);
  return graph.node(
    'ConvTranspose',
    [pad(context, x, kernel, stride), graph.weight(data, shape), graph.weight(bias.data, bias.shape)],
    { kernel_shape: kernel, strides: stride, pads: [...crop, ...crop] },
  );
}

/** [kt, kh, kw, I, O] -> [O, I, kt, kh, kw], or [I, O, kt, kh, kw] with `inputs` first. */
export function channelsFirst({ shape, data }: HostTensor, first: 'inputs' | 'outputs'): HostTensor {
  const [kt = 1, kh = 1, kw = 1, inputs = 1, outputs = 1] = shape;
  const taps = kt * kh * kw;
  const turned = new Float32Array(data.length);
  for (let tap = 0; tap < taps; tap++) {
    for (let i = 0; i < inputs; i++) {
      for (let o = 0; o < outputs; o++) {
        const place = first === 'outputs' ? o * inputs + i : i * outputs + o;
        turned[place * taps + tap] = data[(tap * inputs + i) * outputs + o] ?? 0;
      }
    }
  }
  const channels = first === 'outputs' ? [outputs, inputs] : [inputs, outputs];
  return { shape: [...channels, kt, kh, kw], data: turned };
}
