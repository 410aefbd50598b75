/**
 * The tokenizer's decoder as an ONNX graph, channels first as that format wants it: the same weights and padding as
 * src/model/decoder.ts, for norms `none` and `affine`. onnxruntime's WebGPU has no transposed convolution of three
 * axes; there an up-convolution is one convolution for each phase of the stride, which are then woven together. That
 * multiplies no more than the transposed one would.
 */
import type { Extent3 } from '../../src/config/model';
import { samePadding3 } from '../../src/kernels/conv3d/padding';
import type { BenchModel, HostTensor } from '../weights';
import { GraphBuilder, type Ref } from './builder';

interface Context {
  readonly graph: GraphBuilder;
  readonly model: BenchModel;
  /** Up-convolutions by phases. */
  readonly byPhases: boolean;
}

/** Input `latents` [1, D, T', H', W'], output `frames` [1, 3, T, H, W]. Throws on a model with GroupNorm. */
export function decoderGraph(
  model: BenchModel,
  grid: Extent3,
  provider: 'wasm' | 'webgpu' = 'wasm',
): Uint8Array {
  const { norm, codeWidth, decoder } = model.config.tokenizer;
  if (norm === 'group')
    throw new RangeError('decoderGraph: GroupNorm is not written here; use another model.');
  const graph = new GraphBuilder();
  const context: Context = { graph, model, byPhases: provider === 'webgpu' };
  let x = graph.input('latents', 'float32', [1, codeWidth, ...grid]);
  x = conv(context, x, 'tokenizer.postQuantization');
  x = normSilu(context, x, 'tokenizer.decoder.inputNorm');
  let extent = grid;
  decoder.forEach(({ stride, residualBlocks }, i) => {
    const stage = `tokenizer.decoder.stages.${i}`;
    x = (context.byPhases ? phasedUpConv : upConv)(context, x, `${stage}.up`, stride, extent);
    extent = [extent[0] * stride[0], extent[1] * stride[1], extent[2] * stride[2]];
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

/**
 * As `upConv`, x [1, I, t, h, w] of `extent`. Along an axis with kernel k and stride s, output o = s·i + p reads the padded
 * input at i + floor((p + k - 1) / s) - m with the tap (p + k - 1) mod s + s·m: a phase p is a convolution of
 * M = k/s taps, the last first, over a window that begins at floor((p + k - 1) / s) - (M - 1).
 */
function phasedUpConv(context: Context, x: Ref, name: string, stride: Extent3, extent: Extent3): Ref {
  const { graph, model } = context;
  const weight = model.host(`${name}.weight`);
  const bias = model.host(`${name}.bias`);
  const kernel = weight.shape.slice(0, 3) as unknown as Extent3;
  if (kernel.some((k, axis) => stride[axis] !== 1 && k % (stride[axis] ?? 1) !== 0)) {
    throw new RangeError(`decoderGraph: kernel ${kernel} of ${name} is no multiple of its stride ${stride}.`);
  }
  const padded = pad(context, x, kernel, stride);
  const biasRef = graph.weight(bias.data, bias.shape);
  const phases = indices(stride).map((phase) => {
    const parts = kernel.map((k, axis) => phaseOf(k, stride[axis] ?? 1, phase[axis] ?? 0));
    const begins = parts.map(({ begin }) => begin);
    const ends = parts.map(({ begin, taps }, axis) => begin + taps.length - 1 + (extent[axis] ?? 0));
    const whole = kernel.every((_, axis) => stride[axis] === 1);
    const window = whole
      ? padded
      : graph.node('Slice', [
          padded,
          graph.integers(begins),
          graph.integers(ends),
          graph.integers([2, 3, 4]),
        ]);
    const taps = pickTaps(weight, [parts[0]?.taps ?? [], parts[1]?.taps ?? [], parts[2]?.taps ?? []]);
    const { shape, data } = channelsFirst(taps, 'outputs');
    return graph.node('Conv', [window, graph.weight(data, shape), biasRef], {
      kernel_shape: shape.slice(2),
      strides: [1, 1, 1],
    });
  });
  return weave(context, phases, stride, extent, bias.data.length);
}

/** Taps of one phase along an axis, in the order of a convolution, and where its window begins. */
function phaseOf(k: number, s: number, p: number): { taps: number[]; begin: number } {
  const first = (p + k - 1) % s;
  const taps: number[] = [];
  for (let tap = first; tap < k; tap += s) taps.unshift(tap);
  return { taps, begin: Math.floor((p + k - 1) / s) - (taps.length - 1) };
}

/** phases of [1, O, t, h, w] each, in the order of `indices` -> [1, O, t·st, h·sh, w·sw]. */
function weave(
  { graph }: Context,
  phases: readonly Ref[],
  stride: Extent3,
  extent: Extent3,
  outputs: number,
): Ref {
  const [first = ''] = phases;
  if (phases.length === 1) return first;
  let woven = phases;
  let [t, h, w] = extent;
  const [st, sh, sw] = stride;
  // Innermost axis first: [O·t·h·w, 1] each -> [.., s], and so on; no more than three axes at a time.
  const join = (parts: readonly Ref[], before: number, after: number): Ref => {
    if (parts.length === 1) return parts[0] ?? '';
    const shaped = parts.map((part) => graph.node('Reshape', [part, graph.integers([before, 1, after])]));
    return graph.node('Concat', shaped, { axis: 1 });
  };
  const groups = (parts: readonly Ref[], size: number): Ref[][] =>
    Array.from({ length: parts.length / size }, (_, i) => parts.slice(i * size, (i + 1) * size));
  woven = groups(woven, sw).map((group) => join(group, outputs * t * h * w, 1));
  w *= sw;
  woven = groups(woven, sh).map((group) => join(group, outputs * t * h, w));
  h *= sh;
  woven = groups(woven, st).map((group) => join(group, outputs * t, h * w));
  t *= st;
  return graph.node('Reshape', [woven[0] ?? '', graph.integers([1, outputs, t, h, w])]);
}

/** All [t, h, w] below `extent`, the last axis quickest. */
function indices([t, h, w]: Extent3): Extent3[] {
  return Array.from(
    { length: t * h * w },
    (_, i): Extent3 => [Math.floor(i / (h * w)), Math.floor(i / w) % h, i % w],
  );
}

/** Some taps of a kernel [kt, kh, kw, I, O], in this order along each axis. */
function pickTaps(
  { shape, data }: HostTensor,
  [ts, hs, ws]: readonly [number[], number[], number[]],
): HostTensor {
  const [, kh = 1, kw = 1, inputs = 1, outputs = 1] = shape;
  const size = inputs * outputs;
  const picked = new Float32Array(ts.length * hs.length * ws.length * size);
  let place = 0;
  for (const t of ts) {
    for (const h of hs) {
      for (const w of ws) {
        const from = ((t * kh + h) * kw + w) * size;
        picked.set(data.subarray(from, from + size), place);
        place += size;
      }
    }
  }
  return { shape: [ts.length, hs.length, ws.length, inputs, outputs], data: picked };
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
