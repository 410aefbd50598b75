// The paper's claim about memory, at 8,192 tokens of which half are known: peaks of one forward pass beyond the weights.
import type { WebGPUBackend } from '@tensorflow/tfjs-backend-webgpu';
import * as tf from '@tensorflow/tfjs-core';
import { expect, it } from 'vitest';
import { denseOf, type TransformerConfig } from '../config/model';
import { compileAhead, freeUnusedGpuMemory } from '../kernels/gpu';
import { onBackend } from '../kernels/testing/parity';
import { peakBytes } from '../pipeline/peakBytes';
import { halfContext } from './families';
import { UNUSED_GPU_BYTES } from './predictCodes';
import { readTransformer, runHeadInChunks, runTrunk } from './transformer';

const TOKENS = 8192;
/** One block a mode: what a pass holds does not depend on how many follow. */
const MEBT = { modes: ['latent_enc', 'latent_self', 'lt2l', 'latent_dec'], positions: TOKENS } as const;
/** sky-64, and the official model. */
const SKY = { ...MEBT, width: 256, heads: 8, latentTokens: 128, vocabulary: 1024 };
const OFFICIAL = { ...MEBT, width: 1024, heads: 16, latentTokens: 256, vocabulary: 16384 };

interface Peak {
  /** MiB of tensors at once. */
  readonly tensors: number;
  /** MiB of buffers on a GPU in the end, those kept for reuse included. */
  readonly buffers: number;
}

const MIB = 2 ** 20;

/** Weights are zeros; `run` gets the pass. */
async function peakOf(config: TransformerConfig, run: (pass: () => void) => Promise<void>): Promise<Peak> {
  const zeros = (_: string, shape: readonly number[]): tf.Tensor => tf.zeros([...shape]);
  const parameters = readTransformer(config, {
    tensor: zeros,
    matrix: (name, shape) => zeros(name, shape) as tf.Tensor2D,
  });
  const sets = halfContext(TOKENS, config.vocabulary);
  const onGpu = tf.getBackend() === 'webgpu';
  const allocated = (): number =>
    onGpu ? (tf.backend() as WebGPUBackend).bufferManager.numBytesAllocated : 0;
  const onePass = (): void => {
    const hidden = runTrunk(parameters, sets);
    for (const _ of runHeadInChunks(parameters, hidden));
    hidden.dispose();
  };
  await run(onePass); // Brings the weights to the device.
  freeUnusedGpuMemory();
  const before = allocated();
  let buffers = 0;
  const { bytes } = await peakBytes(() =>
    run(() => {
      onePass();
      buffers = allocated() - before;
    }),
  );
  tf.dispose(parameters as unknown as tf.TensorContainer);
  return { tensors: bytes / MIB, buffers: buffers / MIB };
}

async function peaks(
  config: TransformerConfig,
  run: (pass: () => void) => Promise<void>,
): Promise<{ mebt: Peak; dense: Peak; ratio: number }> {
  const mebt = await peakOf(config, run);
  const dense = await peakOf({ ...denseOf(config), modes: ['maskgit'] }, run);
  const ratio = dense.tensors / mebt.tensors;
  console.log(`${tf.getBackend()}, width ${config.width}: ${JSON.stringify({ mebt, dense, ratio })}`);
  return { mebt, dense, ratio };
}

onBackend('wasm', 'memory of a pass', () => {
  it('of MeBT is less than a third of the dense family’s, as both are in pieces', {
    timeout: 300_000,
  }, async () => {
    const { mebt, dense, ratio } = await peaks(SKY, async (pass) => pass());
    expect(ratio).toBeGreaterThanOrEqual(3);
    expect(mebt.tensors).toBeLessThan(12);
    expect(dense.tensors).toBeLessThan(42);
  });
});

onBackend('webgpu', 'memory of a pass', () => {
  it.each([SKY, OFFICIAL])(
    'of MeBT is less than a third of the dense family’s: $width wide',
    async (config) => {
      // Programs are compiled and not run; tensors and buffers are those of a pass.
      const { mebt, dense, ratio } = await peaks(config, (pass) => compileAhead(pass));
      expect(ratio).toBeGreaterThanOrEqual(3);
      // Buffers are used again at their own size only; what a pass leaves for reuse is bounded in predictCodes.ts.
      for (const { tensors, buffers } of [mebt, dense]) {
        expect(buffers - tensors).toBeLessThan(UNUSED_GPU_BYTES / MIB);
      }
    },
  );
});
