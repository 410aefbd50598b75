/**
 * Every checkpoint that holds a transformer, converted: nothing missing, float32 exact, and what quantization costs,
 * in the weights and in the logits. Logits, videos and runs of the float32 conversion are what all other checks of
 * networks see (model.ts).
 */
import * as tf from '@tensorflow/tfjs-core';
import { readOfficialModel } from '../loader/checkpoint';
import type { ConversionOptions } from '../loader/convert';
import { dequantize } from '../loader/dequantize';
import { convertInMemory } from '../loader/testing/memorySink';
import { expectSame } from './compare';
import type { GoldenFolder } from './folder';
import { LoadedCheckpoint, logitsOf } from './model';
import { mainCheckpoint, setsOf } from './networks';
import { filesOfModel } from './pairs';
import type { Report } from './report';

/**
 * What is allowed: `tensor`, relative L2 of the worst tensor; `logits`, relative L2 of the logits. Random weights
 * are the hard case: levels in use are spread evenly, and no logit stands out.
 */
const KINDS: readonly {
  readonly options: ConversionOptions;
  readonly tensor: number;
  readonly logits: number;
}[] = [
  { options: { quantization: 'float16' }, tensor: 4e-4, logits: 3e-3 },
  { options: { quantization: 'int8' }, tensor: 0.012, logits: 0.05 },
  { options: { quantization: 'int4', group: 32 }, tensor: 0.12, logits: 0.5 },
  { options: { quantization: 'int4', group: 64 }, tensor: 0.13, logits: 0.5 },
];

const titleOf = ({ quantization, group }: ConversionOptions): string =>
  group ? `${quantization} (groups of ${group})` : quantization;

/** Weights; needs no backend. */
export async function checkConversions(folder: GoldenFolder, report: Report): Promise<void> {
  for (const file of Object.keys(folder.manifest.checkpoints ?? {})) {
    const direct = readOfficialModel(await folder.checkpoint(file));
    if (!direct.transformer) continue;
    const files = await filesOfModel(folder, file);
    await report.check(`conversion of ${file} to float32`, async () => {
      const { manifest, plan, sink } = await convertInMemory(files, { quantization: 'float32' });
      expectSame([plan.missing.length], [0], 'missing tensors');
      expectSame([plan.skipped.filter(({ unknown }) => unknown).length], [0], 'tensors of unknown use');
      for (const entry of manifest.tensors.filter(({ name }) => direct.names.includes(name))) {
        const { values } = await direct.load(entry.name);
        expectSame(
          dequantize(entry, (i) => sink.shards[i] ?? new ArrayBuffer(0)),
          values,
          entry.name,
        );
      }
      return `${manifest.tensors.length} tensors`;
    });
    for (const { options, tensor } of KINDS) {
      await report.check(`conversion of ${file} to ${titleOf(options)}`, async () => {
        const { used } = await convertInMemory(files, options);
        const worst = used.reduce((most, { error }) => Math.max(most, error), 0);
        if (!(worst <= tensor)) throw new Error(`the worst tensor is off by ${worst} (limit ${tensor})`);
        return `worst tensor ${worst.toExponential(2)}`;
      });
    }
  }
}

/** Logits of the first recorded case, on the current backend. */
export async function checkQuantizedLogits(folder: GoldenFolder, report: Report): Promise<void> {
  const name = folder.fileOf('transformer', (tensor) => tensor.endsWith('.context_indices'));
  const main = mainCheckpoint(folder);
  const [label] = folder.cases('transformer').find(([key]) => key === 'half') ?? [];
  if (!name || !main || !label) return;
  const file = await folder.file(name);
  for (const { options, logits: limit } of KINDS) {
    await report.check(`logits of ${label} as ${titleOf(options)}`, async () => {
      const transformer = (await LoadedCheckpoint.convert(folder, main, options)).transformer();
      try {
        const error = relative(
          (await logitsOf(transformer, setsOf(file, label))).values,
          file.floats(`${label}.logits`),
        );
        if (!(error <= limit)) throw new Error(`off by ${error} (limit ${limit}), relative L2`);
        return `relative L2 ${error.toExponential(2)}`;
      } finally {
        tf.dispose(transformer as unknown as tf.TensorContainerObject);
      }
    });
  }
}

function relative(actual: ArrayLike<number>, expected: Float32Array): number {
  let [off, size] = [0, 0];
  expected.forEach((value, i) => {
    off += ((actual[i] ?? Number.NaN) - value) ** 2;
    size += value * value;
  });
  return Math.sqrt(off / size);
}
