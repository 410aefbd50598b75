import * as tf from '@tensorflow/tfjs-core';
import { expect, it } from 'vitest';
import { BLOCK_MODES, type BlockMode, type ModelConfig } from '../config/model';
import { onEachBackend, tensorOf, values } from '../kernels/testing/parity';
import { readBlock, runBlock } from './block';
import { randomReader } from './initialization';
import { ALL_ROWS, type RowsAtOnce } from './rowPieces';

const WIDTH = 32;
const HEADS = 2;
const SIZES = { latents: 6, contexts: 9, targets: 14 } as const;

/** All three streams after one block, [B, 6 + 9 + 14, C]. */
async function after(mode: BlockMode, batch: number, rows: RowsAtOnce): Promise<Float32Array> {
  const model: ModelConfig = {
    transformer: { width: WIDTH, heads: HEADS, latentTokens: 6, vocabulary: 8, positions: 30, modes: [mode] },
    tokenizer: { codes: 8, codeWidth: 4, norm: 'none', decoder: [] },
    grid: [1, 5, 6],
    frameRate: 8,
    sampling: {},
  };
  const result = tf.tidy(() => {
    const block = readBlock(mode, model.transformer, randomReader(model, 5), 'transformer.blocks.0');
    const stream = (name: keyof typeof SIZES, seed: number) =>
      tensorOf<tf.Tensor3D>(values([batch, SIZES[name], WIDTH], seed, 2));
    const [contexts, targets] = [stream('contexts', 2), stream('targets', 3)];
    const streams = { latents: stream('latents', 1), contexts, targets };
    const latents = runBlock(block, HEADS, streams, 'block', undefined, rows);
    return tf.concat([latents, contexts, targets], 1);
  });
  const data = await result.data<'float32'>();
  result.dispose();
  return data;
}

onEachBackend('runBlock', (backend) => {
  it.each(BLOCK_MODES)('%s gives piece by piece what it gives at once', async (mode) => {
    const before = tf.memory().numTensors;
    const whole = await after(mode, 2, ALL_ROWS);
    for (const rows of [
      { attention: 4, hidden: 3 },
      { attention: 20, hidden: 5 },
    ]) {
      const pieces = await after(mode, 2, rows);
      const largest = whole.reduce((d, x, i) => Math.max(d, Math.abs(x - (pieces[i] ?? Number.NaN))), 0);
      expect(largest).toBeLessThan(1e-5);
      // Rows do not know of one another: only sums over keys depend on pieces.
      const sameBits = backend !== 'webgpu' && (mode === 'latent_dec' || mode === 'maskgit');
      if (sameBits) expect(pieces).toEqual(whole);
    }
    expect(tf.memory().numTensors).toBe(before);
  });

  it('says which stream is missing', () => {
    tf.tidy(() => {
      const latents = tf.zeros([1, 6, WIDTH]) as tf.Tensor3D;
      const block = { mode: 'latent_enc' } as Parameters<typeof runBlock>[0];
      expect(() => runBlock(block, HEADS, { latents }, 'block03')).toThrow(
        'block03 (latent_enc) reads a stream that is not there',
      );
    });
  });
});
