/**
 * How long does the first step take once a model is loaded? Each contender is loaded, with what it compiles ahead, and
 * predicts once. Comes before all other cases of a backend, whose pipelines would be warm.
 */
import { createEngine } from '../../src/pipeline/engine';
import { type Bench, contest, type Opened } from '../contest';
import type { Row } from '../rows';
import { openTensors } from '../tensors';
import { openOrt, openStock } from './forward';
import { narrowModel, type Pass, passOf, passOfCase, readLogits } from './pass';

const TOKENS = 2048;

/** `slow`: with the narrow network. */
export async function firstStepCase(bench: Bench, slow: boolean): Promise<Row[]> {
  const pass = slow && !bench.quick ? passOf(narrowModel(), TOKENS) : passOfCase(bench, `forward-${TOKENS}`);
  const { flops } = pass;
  return contest(bench, { name: 'first-step', work: `first step, ${pass.work}`, once: true }, [
    { name: 'ours', flops, open: () => noted(() => openEngine(pass)) },
    { name: 'tfjs-stock', flops, open: () => noted(() => openStock(pass)) },
    { name: 'onnxruntime-web', flops, open: () => noted(() => openOrt(bench, pass)) },
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
function openEngine({ model, sets }: Pass): Promise<Opened> {
  const { manifest } = model;
  if (!manifest) throw new Error('the engine is made from a manifest, and this model has none');
  return openTensors(async () => {
    const engine = await createEngine({ ...manifest, model: model.config }, model.reader());
    return { run: () => readLogits(engine.transformer, sets), dispose: () => engine.dispose() };
  });
}
