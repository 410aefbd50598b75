/** Does anything grow when clips are made again and again? Twenty short generations by one engine. */
import * as tf from '@tensorflow/tfjs-core';
import { createEngine } from '../../src/pipeline/engine';
import { generate } from '../../src/pipeline/generate';
import { type Bench, contest, type Opened } from '../contest';
import type { Row } from '../rows';
import { summarize } from '../rows';
import { openTensors } from '../tensors';
import { type Clip, clipOf } from './generate';
import { narrowModel, passOf } from './pass';

const TIMES = 20;
const FRAMES = 16;
const STEPS = 2;

export async function repeatCase(bench: Bench): Promise<Row[]> {
  const made = clipOf(narrowModel(), FRAMES, bench.quick);
  const clip = { ...made, options: { ...made.options, steps: STEPS } };
  const work = `${TIMES} generations in a row, ${clip.grid.join('×')} tokens, ${STEPS} steps, ${clip.model.name}`;
  const open = (): Promise<Opened> => openEngine(clip);
  // The decode takes about as long as a step.
  const step = passOf(clip.model, clip.grid[0] * clip.grid[1] * clip.grid[2]).flops;
  const pieces = [{ kind: 'narrow', flops: TIMES * (STEPS + 1) * step }] as const;
  // The run is its own warm-up.
  return contest(bench, { name: 'generations-20', work, once: true }, [
    { name: 'ours', flops: null, pieces, patience: 2, open },
  ]);
}

/** One run is all generations; its time is the median of one of them. */
function openEngine({ model, options }: Clip): Promise<Opened> {
  const { manifest } = model;
  if (!manifest) throw new Error('the engine is made from a manifest, and this model has none');
  return openTensors(async () => {
    const engine = await createEngine({ ...manifest, model: model.config }, model.reader());
    const times: number[] = [];
    const growth = { tensors: 0, bytes: 0 };
    return {
      note: 'of one generation',
      growth: () => growth,
      run: async () => {
        const { numTensors, numBytes } = tf.memory();
        for (let seed = 0; seed < TIMES; seed++) {
          const began = performance.now();
          for await (const _ of generate(engine, { ...options, seed }));
          times.push(performance.now() - began);
        }
        const after = tf.memory();
        growth.tensors = after.numTensors - numTensors;
        growth.bytes = after.numBytes - numBytes;
        return undefined;
      },
      extrapolated: () => summarize(times).median ?? Number.NaN,
      dispose: () => engine.dispose(),
    };
  });
}
