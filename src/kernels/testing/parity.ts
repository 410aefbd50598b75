/** Compares an operation on a backend with its reference on the cpu, which is the oracle of every kernel test. */
import type { WebGPUBackend } from '@tensorflow/tfjs-backend-webgpu';
import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, beforeEach, describe, expect } from 'vitest';
import {
  adapterInUse,
  findVulkanDriver,
  gpuFailures,
  switchBackend,
  TEST_BACKENDS,
  type TestBackend,
} from './backends';

/** ms. A software GPU compiles each shader variant for up to seconds, on a busy machine for many. */
const PATIENCE = 180_000;

/** A `describe` for each backend; WebGPU is reported as skipped where no Vulkan driver is found. */
export function onEachBackend(title: string, body: (backend: TestBackend) => void): void {
  for (const backend of TEST_BACKENDS) onBackend(backend, title, body);
}

/** The same for one backend. */
export function onBackend(backend: TestBackend, title: string, body: (backend: TestBackend) => void): void {
  const missing = backend === 'webgpu' && findVulkanDriver() === undefined;
  describe.skipIf(missing)(`${title} on ${backend}`, { timeout: PATIENCE }, () => {
    beforeAll(async () => {
      expect(await switchBackend(backend)).toBe(true);
    }, PATIENCE);
    body(backend);
  });
}

/**
 * How far a program that multiplies in float16 may be from the reference, relative to the largest value: its factors are
 * off by up to 2^-12 each (11 bits), the sums of a block by as much again, and errors of either sign cancel in part.
 * Four times 2^-11, of which lavapipe uses up to a half.
 */
export const FLOAT16_TOLERANCE = 2e-3;

/** For programs in float16. On an adapter that lacks it every test is reported as skipped, with the reason. */
export function onFloat16(title: string, body: (backend: TestBackend) => void): void {
  onBackend('webgpu', `${title}, in float16,`, (backend) => {
    beforeEach(async ({ skip }) => {
      await switchBackend(backend);
      const { device } = tf.backend() as WebGPUBackend;
      skip(!device.features.has('shader-f16'), `${adapterInUse()} has no shader-f16`);
    });
    body(backend);
  });
}

/** Plain values, so that a tensor can be made of them on any backend. */
export interface Values {
  readonly shape: readonly number[];
  readonly data: Float32Array;
}

/** Deterministic values in ±`spread`. */
export function values(shape: readonly number[], seed: number, spread = 1): Values {
  let state = seed * 2654435761 + 1;
  const data = Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return spread * ((2 * state) / 2 ** 32 - 1);
  });
  return { shape, data };
}

/** On the current backend. */
export function tensorOf<T extends tf.Tensor>({ shape, data }: Values): T {
  return tf.tensor(data.slice(), [...shape], 'float32') as T;
}

/**
 * Runs `reference` on the cpu and `operation` on `backend`, over tensors of the same values, and compares. Also checks
 * that the operation leaves no tensor behind but its result.
 */
export async function expectParity(
  backend: TestBackend,
  inputs: readonly Values[],
  operation: (...tensors: tf.Tensor[]) => tf.Tensor,
  reference: (...tensors: tf.Tensor[]) => tf.Tensor,
  tolerance: number,
): Promise<void> {
  const expected = await runOn('cpu', inputs, reference);
  const got = await runOn(backend, inputs, operation);
  expect(gpuFailures).toEqual([]);
  expect(got.shape).toEqual(expected.shape);
  const scale = expected.data.reduce((largest, x) => Math.max(largest, Math.abs(x)), 1);
  const difference = got.data.reduce(
    (d, x, i) => Math.max(d, Math.abs(x - (expected.data[i] ?? Number.NaN))),
    0,
  );
  expect(difference / scale).toBeLessThanOrEqual(tolerance);
}

async function runOn(
  backend: TestBackend,
  inputs: readonly Values[],
  run: (...tensors: tf.Tensor[]) => tf.Tensor,
): Promise<{ shape: number[]; data: Float32Array }> {
  await switchBackend(backend);
  const tensors = inputs.map((input) => tensorOf(input));
  const before = tf.memory().numTensors;
  const result = run(...tensors);
  expect(tf.memory().numTensors).toBe(before + 1);
  const data = (await result.data()) as Float32Array;
  tf.dispose([result, ...tensors]);
  return { shape: result.shape, data };
}
