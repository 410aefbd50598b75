import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { UNUSED_KERNELS, withoutKernel } from './vite-plugins';

const LIST = new URL(
  '../node_modules/@tensorflow/tfjs-backend-webgpu/dist/register_all_kernels.js',
  import.meta.url,
);

describe('withoutKernel', () => {
  const code = readFileSync(LIST, 'utf8');

  it('takes out import and entry of every kernel on the list, and nothing else', () => {
    const lines = (text: string) => text.split('\n').filter((line) => !line.startsWith('//#'));
    const rest = UNUSED_KERNELS.reduce((text, name) => withoutKernel(text, name), code);
    expect(lines(rest)).toHaveLength(lines(code).length - 2 * UNUSED_KERNELS.length);
    for (const name of UNUSED_KERNELS) expect(rest).not.toContain(`kernels/${name}'`);
    for (const used of ['_FusedMatMul', 'Conv3D', 'Conv3DBackpropInputV2', 'GatherV2', 'Softmax']) {
      expect(rest).toContain(`kernels/${used}'`);
    }
  });

  it('refuses a name that tfjs does not know', () => {
    expect(() => withoutKernel(code, 'Conv7D')).toThrow('Conv7D is no kernel of tfjs-backend-webgpu');
  });
});
