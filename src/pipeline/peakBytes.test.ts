import * as tf from '@tensorflow/tfjs-core';
import { expect, it } from 'vitest';
import { onEachBackend } from '../kernels/testing/parity';
import { peakBytes } from './peakBytes';

const KB = 1024;

onEachBackend('peakBytes', () => {
  it('is what was held at once, not what was made in all', async () => {
    const { bytes } = await peakBytes(async () => {
      for (let i = 0; i < 5; i++) {
        const x = tf.fill([KB / 4], i);
        await x.data();
        x.dispose();
      }
    });
    expect(bytes).toBe(KB);
  });

  it('adds up what lives side by side, and leaves out what was there before', async () => {
    const before = tf.fill([64 * KB], 1);
    const { bytes, result } = await peakBytes(async () => {
      const parts = [tf.fill([KB], 1), tf.fill([2 * KB], 2)];
      await Promise.all(parts.map((part) => part.data()));
      before.dispose();
      const late = tf.fill([KB / 4], 3);
      tf.dispose([...parts, late]);
      return 'done';
    });
    expect(result).toBe('done');
    expect(bytes).toBe((3 + 0.25) * 4 * KB);
  });

  it('counts a view once', async () => {
    const { bytes } = await peakBytes(async () => {
      const x = tf.fill([KB], 1);
      const y = tf.reshape(x, [2, KB / 2]);
      await y.data();
      tf.dispose([x, y]);
    });
    expect(bytes).toBe(4 * KB);
  });

  it('gives back what it borrowed, also when the work fails', async () => {
    const { set } = tf.DataStorage.prototype;
    await expect(peakBytes(() => Promise.reject(new Error('no')))).rejects.toThrow('no');
    expect(tf.DataStorage.prototype.set).toBe(set);
    await peakBytes(async () => {
      await expect(peakBytes(async () => 0)).rejects.toThrow('another measurement');
    });
  });
});
