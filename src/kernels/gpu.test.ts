import type { WebGPUBackend } from '@tensorflow/tfjs-backend-webgpu';
import * as tf from '@tensorflow/tfjs-core';
import { expect, it } from 'vitest';
import { freeUnusedGpuMemory } from './gpu';
import { silu } from './silu';
import { gpuFailures } from './testing/backends';
import { onBackend, tensorOf, values } from './testing/parity';

const allocated = (): number => (tf.backend() as WebGPUBackend).bufferManager.numBytesAllocated;

onBackend('webgpu', 'memory of the GPU', () => {
  it('is used again by the next program, before anything is submitted', async () => {
    const input = values([1000], 1, 4);
    const expected = input.data.map((x) => {
      let y = x;
      for (let i = 0; i < 9; i++) y /= 1 + Math.exp(-y);
      return y;
    });
    let x = tensorOf<tf.Tensor>(input);
    let before = 0;
    for (let i = 0; i < 9; i++) {
      const y = silu(x);
      x.dispose();
      // What is uploaded into a used buffer must not overtake the programs that still read it.
      const late = tensorOf<tf.Tensor>(values([1000], i + 2));
      silu(late).dispose();
      late.dispose();
      x = y;
      if (i === 0) before = allocated();
    }
    expect(allocated() - before).toBeLessThanOrEqual(2 * 4 * 1000 + 9 * 2 * 1024); // two more; and uniforms
    const got = await x.data();
    const largest = expected.reduce((d, y, i) => Math.max(d, Math.abs(y - (got[i] ?? Number.NaN))), 0);
    expect(largest).toBeLessThan(3e-6);
    x.dispose();
    expect(gpuFailures).toEqual([]);
  });

  it('is given back where more of it is unused than is wanted', async () => {
    const x = silu(tensorOf<tf.Tensor>(values([5000], 1)));
    await x.data();
    x.dispose();
    const held = allocated();
    freeUnusedGpuMemory(2 ** 30);
    expect(allocated()).toBe(held);
    freeUnusedGpuMemory();
    expect(allocated()).toBeLessThanOrEqual(held - 4 * 5000);
  });
});
