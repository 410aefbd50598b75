/** How long does one forward pass take, at growing numbers of tokens, half of them known? */
import { readTransformer } from '../../src/model/transformer';
import { type Bench, type Contender, contest, type Opened } from '../contest';
import { openBuffers } from '../deviceBuffers';
import { ortTransformer } from '../onnx/session';
import type { CaseName, Row } from '../rows';
import { stockTransformer } from '../stock/transformer';
import { disposeAll, openTensors, valuesOf } from '../tensors';
import { otherFamilies } from './families';
import { type Pass, passOfCase, readLogits } from './pass';

/** Up to here the others have twice the time, so that slow adapters compare the model itself at one size at least. */
const PATIENT_TOKENS = 1024;

export async function forwardCase(bench: Bench, name: CaseName): Promise<Row[]> {
  const pass = passOfCase(bench, name);
  return contest(bench, { name, work: pass.work }, passContenders(bench, pass));
}

export function passContenders(bench: Bench, pass: Pass): Contender[] {
  const { flops } = pass;
  const patience = pass.sets.tokens.length > PATIENT_TOKENS ? 1 : 2;
  const ortPatience = bench.backend === 'wasm' ? 2 : patience;
  return [
    { name: 'ours', flops, patience: 2, open: () => openOurs(pass) },
    { name: 'tfjs-stock', flops, patience, open: () => openStock(pass) },
    { name: 'onnxruntime-web', flops, patience: ortPatience, open: () => openOrt(bench, pass) },
    ...otherFamilies(pass),
  ];
}

function openOurs({ model, sets }: Pass): Promise<Opened> {
  return openTensors(() => {
    const parameters = readTransformer(model.config.transformer, model.reader());
    return { run: () => readLogits(parameters, sets), dispose: () => disposeAll(parameters) };
  });
}

export function openStock({ model, sets }: Pass): Promise<Opened> {
  return openTensors(() => {
    const { forward, dispose } = stockTransformer(model);
    return { run: () => valuesOf(forward(sets)), dispose };
  });
}

export async function openOrt({ ort }: Bench, { model, sets }: Pass): Promise<Opened> {
  if (typeof ort === 'string') throw new Error(ort);
  return openBuffers(ort.provider, async () => {
    const { run, note, dispose } = await ortTransformer(ort, model);
    return { run: () => run(sets), note, dispose };
  });
}
