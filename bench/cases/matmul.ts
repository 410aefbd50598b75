/** What is the best product of two matrices on this adapter? The measure of everything else's GFLOP/s. */
import * as tf from '@tensorflow/tfjs-core';
import { linear } from '../../src/kernels/linear';
import type { Bench } from '../contest';
import { alternate } from '../measure';
import { GraphBuilder } from '../onnx/builder';
import type { Ort } from '../onnx/session';
import { openSession } from '../onnx/session';
import { valuesOf } from '../tensors';

/** Products a run, so that reading the result back does not count for much. */
const CHAIN = 4;

/** GFLOP/s of the quickest of tfjs, our linear kernel and onnxruntime-web. */
export async function bestMatmul(bench: Omit<Bench, 'best'>, slow: boolean): Promise<number | null> {
  const n = bench.quick ? 64 : slow ? 256 : 1024;
  const square = (): tf.Tensor2D => tf.randomUniform([n, n], -1 / n, 1 / n, 'float32', 1);
  const [x, weight] = [square(), square()];
  const chain = (product: (y: tf.Tensor2D) => tf.Tensor): Promise<Float32Array> =>
    valuesOf(
      tf.tidy(() => {
        let y: tf.Tensor = x;
        for (let i = 0; i < CHAIN; i++) y = product(y as tf.Tensor2D);
        return tf.slice(y, [0, 0], [1, 1]);
      }),
    );
  const runners = [
    { run: () => chain((y) => tf.matMul(y, weight)) },
    { run: () => chain((y) => linear(y, { weight })) },
  ];
  const { ort } = bench;
  const session = typeof ort === 'string' ? undefined : await ortChain(ort, n).catch(() => undefined);
  if (session) runners.push(session);
  const milliseconds = bench.allowance.budget();
  const { mostRuns, clock } = bench;
  const effort = { milliseconds, patience: milliseconds, mostRuns, ...(clock ? { clock } : {}) };
  const results = await alternate(runners, effort);
  await session?.dispose();
  tf.dispose([x, weight]);
  const times = results.flatMap((result) => (result instanceof Error ? [] : [result.ms.min ?? Number.NaN]));
  return times.length > 0 ? (CHAIN * 2 * n ** 3) / 1e6 / Math.min(...times) : null;
}

async function ortChain(
  ort: Ort,
  n: number,
): Promise<{ run: () => Promise<Float32Array>; dispose: () => Promise<void> }> {
  const graph = new GraphBuilder();
  const weight = graph.weight(
    Float32Array.from({ length: n * n }, (_, i) => ((i % 7) - 3) / n),
    [n, n],
  );
  let y = graph.input('x', 'float32', [n, n]);
  for (let i = 0; i < CHAIN; i++) y = graph.node('MatMul', [y, weight]);
  const one = graph.node('Slice', [y, graph.integers([0, 0]), graph.integers([1, 1])]);
  graph.output(one, 'y', [1, 1]);
  const { session } = await openSession(ort, graph.finish(), 'y');
  const x = new ort.module.Tensor('float32', new Float32Array(n * n).fill(1 / n), [n, n]);
  return {
    run: async () => {
      const { y: result } = await session.run({ x });
      return (result?.data ?? new Float32Array()) as Float32Array;
    },
    dispose: () => session.release(),
  };
}
