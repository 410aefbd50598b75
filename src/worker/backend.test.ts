import { describe, expect, it, vi } from 'vitest';
import { BackendUnavailable } from '../kernels/backends';
import { chooseBackend, NoBackendError, type Preparers } from './backend';

// The wasm files' addresses are the bundler's business.
vi.mock('@tensorflow/tfjs-backend-wasm/dist/tfjs-backend-wasm-simd.wasm?url', () => ({ default: 'simd' }));
vi.mock('@tensorflow/tfjs-backend-wasm/dist/tfjs-backend-wasm-threaded-simd.wasm?url', () => ({
  default: 'threaded',
}));

const refuse = (message: string) => () => Promise.reject(new BackendUnavailable(message));

const ALL: Preparers = {
  webgpu: async () => ({ backend: 'webgpu', threads: 1, adapter: 'Some GPU' }),
  wasm: async ({ threads } = {}) => ({ backend: 'wasm', threads: threads ?? 1 }),
  cpu: async () => ({ backend: 'cpu', threads: 1 }),
  threads: () => 4,
};
const onFailure = () => undefined;

describe('chooseBackend', () => {
  it('takes hardware WebGPU where there is some', async () => {
    const backend = await chooseBackend({ onFailure }, ALL);
    expect(backend).toMatchObject({
      backend: 'webgpu',
      adapter: 'Some GPU',
      reason: 'WebGPU runs on Some GPU.',
    });
  });

  it('takes threaded wasm otherwise, and says why', async () => {
    const webgpu = refuse('WebGPU has only a software adapter (SwiftShader).');
    expect(await chooseBackend({ onFailure }, { ...ALL, webgpu })).toEqual({
      backend: 'wasm',
      threads: 4,
      reason: 'WebGPU has only a software adapter (SwiftShader). WebAssembly is used, on 4 threads.',
    });
  });

  it('does with one thread where threads fail', async () => {
    const asked: (number | undefined)[] = [];
    const wasm: Preparers['wasm'] = async (options) => {
      asked.push(options?.threads);
      if (options?.threads !== 1) throw new Error('no shared memory');
      return { backend: 'wasm', threads: 1 };
    };
    const backend = await chooseBackend({ onFailure }, { ...ALL, webgpu: refuse('No WebGPU.'), wasm });
    expect(backend).toMatchObject({ threads: 1, reason: 'No WebGPU. WebAssembly is used, on one thread.' });
    expect(asked).toEqual([4, 1]);
  });

  it('says what is missing and what to do when nothing works', async () => {
    const none = { ...ALL, webgpu: refuse('No WebGPU.'), wasm: refuse('No WebAssembly.') };
    const error = await chooseBackend({ onFailure }, none).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(NoBackendError);
    expect(String(error)).toContain('No WebGPU. No WebAssembly. Open this page in a current version');
  });

  it('lets a request override the choice, and then accepts a software adapter', async () => {
    let software: boolean | undefined;
    const webgpu: Preparers['webgpu'] = async (options) => {
      software = options?.allowSoftware;
      return { backend: 'webgpu', threads: 1 };
    };
    for (const requested of ['cpu', 'wasm', 'webgpu'] as const) {
      const backend = await chooseBackend({ wish: { backend: requested }, onFailure }, { ...ALL, webgpu });
      expect(backend.backend).toBe(requested);
    }
    expect(software).toBe(true);
  });

  it.each([{}, { backend: 'webgpu' }] as const)(
    'passes on to %j that float16 is not wanted',
    async (wish) => {
      const wanted: (boolean | undefined)[] = [];
      const webgpu: Preparers['webgpu'] = async (options) => {
        wanted.push(options?.float16);
        return { backend: 'webgpu', threads: 1 };
      };
      await chooseBackend({ wish: { ...wish, float16: false }, onFailure }, { ...ALL, webgpu });
      await chooseBackend({ wish, onFailure }, { ...ALL, webgpu });
      expect(wanted).toEqual([false, undefined]);
    },
  );

  it('does not put another backend in place of a requested one', async () => {
    const refused = { ...ALL, webgpu: refuse('No WebGPU.') };
    const choice = chooseBackend({ wish: { backend: 'webgpu' }, onFailure }, refused);
    await expect(choice).rejects.toThrow('Remove backend=webgpu from the address');
  });

  it('takes the threads that are asked for', async () => {
    const threads = (wish: number | undefined) => wish ?? 4;
    const refused = { ...ALL, webgpu: refuse('No WebGPU.'), threads };
    expect((await chooseBackend({ wish: { threads: 2 }, onFailure }, refused)).threads).toBe(2);
    const wish = { backend: 'wasm', threads: 3 } as const;
    expect((await chooseBackend({ wish, onFailure }, refused)).threads).toBe(3);
  });

  it('passes over WebGPU when told to avoid it', async () => {
    const backend = await chooseBackend({ avoidWebGpu: 'It failed twice.', onFailure }, ALL);
    expect(backend).toMatchObject({ backend: 'wasm' });
    expect(backend.reason).toContain('It failed twice.');
  });
});
