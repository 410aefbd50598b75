/**
 * How long does the first step take once a model is loaded? Each contender is loaded, with what it compiles ahead, and
 * predicts once. Comes before all other cases of a backend, whose pipelines would be warm.
 */

import { runTransformer } from '../../src/model/transformer';
import { createEngine } from '../../src/pipeline/engine';
import { type Bench, contest, type Opened } from '../contest';
import type { Row } from '../rows';
import { openTensors, valuesOf } from '../tensors';
import { type ForwardContest, forwardContest, openOrt, openStock } from './forward';

export async function firstStepCase(bench: Bench): Promise<Row[]> {
  const contested = forwardContest(bench, 2048);
  // The warm-up is what is asked for.
  const once = { ...bench, effort: { ...bench.effort, milliseconds: 0, mostRuns: 0 } };
  return contest(once, 'first-step', `first step, ${contested.work}`, [
    { name: 'ours', open: () => noted(() => openEngine(contested)) },
    { name: 'tfjs-stock', open: () => noted(() => openStock(contested)) },
    { name: 'onnxruntime-web', open: () => noted(() => openOrt(bench, contested)) },
  ]);
}

/** Says how long loading took. */
async function noted(open: () => Promise<Opened>): Promise<Opened> {
  const began = performance.now();
  const opened = await open();
  const loaded = `loaded in ${Math.round(performance.now() - began)} ms`;
  return Object.assign(opened, { note: opened.note ? `${loaded}; ${opened.note}` : loaded });
}

/** As the page loads it: weights uploaded, kernels compiled by a pass over two tokens. */
function openEngine({ model, sets, flops }: ForwardContest): Promise<Opened> {
  const { manifest } = model;
  if (!manifest) throw new Error('the engine is made from a manifest, and this model has none');
  return openTensors(async () => {
    const engine = await createEngine({ ...manifest, model: model.config }, model.reader());
    return {
      flops,
      run: () => valuesOf(runTransformer(engine.transformer, sets)),
      dispose: () => engine.dispose(),
    };
  });
}
