/** The noise in WGSL against the samplers' own generator: the same words, and logarithms that are as good as float32. */
import type { WebGPUProgram } from '@tensorflow/tfjs-backend-webgpu';
import * as tf from '@tensorflow/tfjs-core';
import { expect, it } from 'vitest';
import { CounterNoise } from '../../sampling/random';
import { int, runOnGpu } from '../gpu';
import { gpuFailures } from '../testing/backends';
import { onBackend } from '../testing/parity';
import { NOISE } from './noise';

const RELATIVE_ERROR = 5e-7;
const SEED = 0x9e3779b9;
const POSITION = 4321;

/** One thread an element. */
class Probe implements WebGPUProgram {
  readonly variableNames = ['x'];
  readonly uniforms = 'count : i32,';
  readonly workgroupSize: [number, number, number] = [64, 1, 1];
  readonly dispatchLayout = { x: [0] };
  readonly dispatch: [number, number, number];

  constructor(
    readonly shaderKey: string,
    readonly outputShape: number[],
    private readonly body: string,
  ) {
    this.dispatch = [Math.ceil((outputShape[0] ?? 0) / 64), 1, 1];
  }

  getUserCode(): string {
    return `${NOISE} fn main(i : i32) { if (i < uniforms.count) { ${this.body} } }`;
  }
}

async function probe(name: string, inputs: Int32Array, stride: number, body: string): Promise<Float32Array> {
  const count = inputs.length / stride;
  const result = tf.tidy(() => {
    const program = new Probe(name, [count, 2], body);
    return runOnGpu(program, [tf.tensor1d(inputs, 'int32')], [count, 2], [int(count)]);
  });
  const got = await result.data<'float32'>();
  result.dispose();
  expect(gpuFailures).toEqual([]);
  return got;
}

onBackend('webgpu', 'noise', () => {
  it('of every code, seed, step and sample is that of the samplers', async () => {
    const codes = 1024;
    const pairs = Int32Array.from({ length: codes / 2 }, (_, i) => i);
    for (const [step, sample] of [
      [0, 0],
      [77, 3],
    ] as const) {
      const site = `Site(${SEED}u, ${sample}u, ${step}u, ${POSITION}u)`;
      const body = `let n = drawNoise(${site}, u32(x[i])); result[2 * i] = n.x; result[2 * i + 1] = n.y;`;
      const expected = new Float32Array(codes);
      new CounterNoise(SEED).fillCodes({ step, sample, row: 0, position: POSITION }, expected);
      expectClose(await probe(`noise_${step}`, pairs, 1, body), expected);
    }
  });

  it('takes more bits for the extreme words, at both ends', async () => {
    const found = extremes(40);
    const sites = Int32Array.from(found.flatMap(({ position, code }) => [position, code >> 1]));
    const site = `Site(${SEED}u, 0u, 5u, u32(x[2 * i]))`;
    const body = `let n = drawNoise(${site}, u32(x[2 * i + 1])); result[2 * i] = n.x; result[2 * i + 1] = n.y;`;
    const got = await probe('noise_extremes', sites, 2, body);
    const ours = Float32Array.from(found, ({ code }, i) => got[2 * i + (code & 1)] ?? Number.NaN);
    const theirs = Float32Array.from(found, ({ value }) => value);
    expect(theirs.some((value) => value < 1)).toBe(true);
    expect(theirs.some((value) => value > 1)).toBe(true);
    expectClose(ours, theirs);
  });

  it('is a logarithm without a seam, and accurate near 1', async () => {
    const words = [0, 1, 2, 5000, 2 ** 24 - 1, 2 ** 31, 0xb504f333, 0xb504f334, 2 ** 32 - 9000, 2 ** 32 - 1];
    const inputs = Int32Array.from(words.flatMap((word) => [word, 2 ** 32 - 1, 0]));
    const word = 'u32(x[3 * i]), u32(x[3 * i + 1])';
    const body = `result[2 * i] = exponential(${word}, false); result[2 * i + 1] = exponential(${word}, true);`;
    const exact = (word: number, fraction: number): number => {
      const rest = (2 ** 32 - word - fraction) / 2 ** 32;
      return rest < 0.5 ? -Math.log1p(-rest) : -Math.log((word + fraction) / 2 ** 32);
    };
    const last = 1 - 0.5 / 2 ** 32; // of the 32 bits that refine
    const expected = words.flatMap((word) => [exact(word, 0.5), exact(word, last)]);
    // 1 - u of the very last number needs 65 bits, which `exact` does not have.
    expected[expected.length - 1] = 2 ** -65;
    expectClose(await probe('exponential', inputs, 3, body), Float32Array.from(expected));
  });
});

function expectClose(got: Float32Array, expected: Float32Array): void {
  expect(got.length).toBe(expected.length);
  for (const [i, value] of expected.entries()) {
    expect(Math.abs((got[i] ?? Number.NaN) / value - 1)).toBeLessThan(RELATIVE_ERROR);
  }
}

/** Values of step 5 whose word is within 2^12 of 0 or of 2^32, as two in a million are. */
function extremes(positions: number): { position: number; code: number; value: number }[] {
  const noise = new CounterNoise(SEED);
  const row = new Float32Array(65536);
  const edge = 4095 / 2 ** 32;
  const found: { position: number; code: number; value: number }[] = [];
  for (let position = 0; position < positions; position++) {
    noise.fillCodes({ step: 5, sample: 0, row: 0, position }, row);
    for (const [code, value] of row.entries()) {
      if (value < edge || value > -Math.log(edge)) found.push({ position, code, value });
    }
  }
  return found;
}
