/** How long does one forward pass take, at growing numbers of tokens, half of them known? */
import { readTransformer, runTransformer, type TokenSets } from '../../src/model/transformer';
import { type Bench, contest, type Opened } from '../contest';
import { openBuffers } from '../deviceBuffers';
import { transformerFlops } from '../flops';
import { ortTransformer } from '../onnx/session';
import type { CaseName, Row } from '../rows';
import { modelOfSize } from '../sizes';
import { stockTransformer } from '../stock/transformer';
import { disposeAll, openTensors, valuesOf } from '../tensors';
import type { BenchModel } from '../weights';
import { otherFamilies } from './families';

export const FORWARD_TOKENS = [1024, 2048, 4096, 8192] as const;
export type ForwardTokens = (typeof FORWARD_TOKENS)[number];

export interface ForwardContest {
  readonly model: BenchModel;
  readonly sets: TokenSets;
  readonly flops: number;
  /** What is computed, in words. */
  readonly work: string;
}

export function forwardContest(bench: Bench, nominal: ForwardTokens): ForwardContest {
  const tokens = Math.round(nominal * bench.size.tokens);
  const model = modelOfSize(bench.stored, bench.size, tokens);
  const sets = halfKnown(tokens, model.config.transformer.vocabulary);
  const flops = transformerFlops(model.config.transformer, sets.context.length, sets.target.length);
  return { model, sets, flops, work: `${sets.context.length} + ${sets.target.length} tokens, ${model.name}` };
}

export async function forwardCase(bench: Bench, nominal: ForwardTokens): Promise<Row[]> {
  const name: CaseName = `forward-${nominal}`;
  const work = forwardContest(bench, nominal);
  return contest(bench, name, work.work, [
    { name: 'ours', open: () => openOurs(work) },
    { name: 'tfjs-stock', open: () => openStock(work) },
    { name: 'onnxruntime-web', open: () => openOrt(bench, work) },
    ...otherFamilies(work.model, work.sets),
  ]);
}

/** Half of the tokens known, half predicted, in an order that mixes the grid. */
export function halfKnown(tokens: number, vocabulary: number): TokenSets {
  const order = Int32Array.from({ length: tokens }, (_, i) => i).sort(
    (a, b) => ((a * 997) % 8191) - ((b * 997) % 8191),
  );
  return {
    tokens: Int32Array.from({ length: tokens }, (_, i) => (i * 7) % vocabulary),
    context: order.slice(0, tokens / 2),
    target: order.slice(tokens / 2),
  };
}

function openOurs({ model, sets, flops }: ForwardContest): Promise<Opened> {
  return openTensors(() => {
    const parameters = readTransformer(model.config.transformer, model.reader());
    return {
      flops,
      run: () => valuesOf(runTransformer(parameters, sets)),
      dispose: () => disposeAll(parameters),
    };
  });
}

export function openStock({ model, sets, flops }: ForwardContest): Promise<Opened> {
  return openTensors(() => {
    const { forward, dispose } = stockTransformer(model);
    return { flops, run: () => valuesOf(forward(sets)), dispose };
  });
}

export async function openOrt({ ort }: Bench, { model, sets, flops }: ForwardContest): Promise<Opened> {
  if (typeof ort === 'string') throw new Error(ort);
  return openBuffers(ort.provider, async () => {
    const { run, note, dispose } = await ortTransformer(ort, model);
    return { flops, run: () => run(sets), note, dispose };
  });
}
