/**
 * Writes a checkpoint with the official 128-frame model's names and shapes (344.5 million parameters and the VQGAN
 * in it) and random weights, as a stream: `npx tsx scripts/make-official-checkpoint.ts OUT.ckpt [--optimizer] [--legacy]
 * [--vqgan OUT2.ckpt]`. 1.5 GB; with AdamW's state 4.3 GB, beyond what 32-bit offsets reach. --legacy: as PyTorch before
 * 1.6 wrote it.
 */

import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { parseArgs } from 'node:util';
import {
  OFFICIAL,
  type Shapes,
  transformerSettings,
  transformerShapes,
  vqganSettings,
  vqganShapes,
} from '../src/loader/testing/officialShapes';
import { randomTensor } from '../src/loader/testing/randomWeights';
import {
  lightningCheckpoint,
  type SavedTensor,
  type SavedValue,
  writeTorchLegacy,
  writeTorchZip,
} from '../src/loader/testing/torchWriter';

const { values, positionals } = parseArgs({
  options: {
    optimizer: { type: 'boolean', default: false },
    legacy: { type: 'boolean', default: false },
    vqgan: { type: 'string' },
  },
  allowPositionals: true,
});
const [out] = positionals;
if (!out) {
  console.error(
    'make-official-checkpoint: name the file to write, as in: npx tsx scripts/make-official-checkpoint.ts mebt.ckpt',
  );
  process.exit(2);
}

const state = tensorsOf(transformerShapes(OFFICIAL));
const vqgan = tensorsOf(vqganShapes(OFFICIAL));
const whole = new Map([
  ...state,
  ...Array.from(vqgan, ([name, tensor]) => [`first_stage_model.${name}`, tensor] as const),
]);
const more: Record<string, SavedValue> = values.optimizer ? { optimizer_states: [adamState(state)] } : {};
await save(out, lightningCheckpoint(whole, transformerSettings(OFFICIAL), more));
if (values.vqgan) await save(values.vqgan, lightningCheckpoint(vqgan, vqganSettings(OFFICIAL)));

function tensorsOf(shapes: Shapes): Map<string, SavedTensor> {
  return new Map(Array.from(shapes, ([name, shape]) => [name, randomTensor(name, shape)]));
}

/** Two moments for each parameter. */
function adamState(tensors: ReadonlyMap<string, SavedTensor>): SavedValue {
  const moments = Array.from(tensors, ([name, { shape }], i): [string, SavedValue] => {
    const moment = (part: string): SavedTensor => randomTensor(`${name}.${part}`, shape);
    return [
      String(i),
      new Map<string, SavedValue>([
        ['exp_avg', moment('exp_avg')],
        ['exp_avg_sq', moment('exp_avg_sq')],
      ]),
    ];
  });
  return new Map<string, SavedValue>([['state', new Map(moments)]]);
}

async function save(path: string, value: SavedValue): Promise<void> {
  const began = performance.now();
  const stream = createWriteStream(path, { highWaterMark: 1 << 22 });
  const write = values.legacy ? writeTorchLegacy : writeTorchZip;
  const bytes = await write(value, async (part) => {
    if (!stream.write(part)) await once(stream, 'drain');
  });
  stream.end();
  await once(stream, 'finish');
  console.log(
    `${path}: ${(bytes / 1e9).toFixed(2)} GB in ${((performance.now() - began) / 1000).toFixed(0)} s`,
  );
}
