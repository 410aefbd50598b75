// Files of torch.save, read back: views, dtypes, long integers, cycles through unknown classes, damage.
import { gunzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { at, toPlain } from './hyperparameters';
import { foldBatchNorm, transpose } from './layout';
import { PythonObject } from './pickle';
import { openSafetensors } from './safetensors';
import { blobSource } from './source';
import type { StoredTensor } from './tensor';
import { openTorchFile } from './torchFile';

/**
 * base = arange(24).reshape(4, 6); unknown.me = unknown, unknown.t = base[0];
 * torch.save({view: base[1:3].t()[::2], half: [1.5, -2].half(), count: 2**40 (int64 tensor), big: -2**70, neg: -2**40,
 * args: Namespace(downsample=(2, 4, 4)), odd: unknown}), gzip, base64.
 */
const FILES = {
  zip: [
    'H4sIAAAAAAACA6VVz28bRRQer+21s0B+tZA2QAg0gE1bx3ac2KZAEqtakLZqXaNKFgec9XrqXXW967c7TgRSpABKoD1x4NBT1SPH',
    'XhA9cMi/UKRy6qFST5z4E+DNbuPubkgM7cifRxrN971v3r43U1fiCULSaXJoTJJpojqabmzSxY7K1Fz/hinXxskXobEjbAPJNFGD',
    'bBp0C2Ias5GUaw2YYbpSy6HtgWF2Woxaru20NosSCJlMM4X7XdypdinEfYokm7bKPvcXJUg0Y7gnD8lmHGetPwBROcUgdVURlbgi',
    '7EFaERRxD8ZuapptmlRjhm250hWnQx3auWhoTAIp24CXGLzcgFc8h7pqXodxHQ3oB0E/w6VhzAkvZgEmdVERGExdVYgi7MK0EtuF',
    'Ezd1LneSwasNeK2Z5KbsgcVgJqR3yba6Q71Tnl4RTqNejMEs6mWzvs7rDN5owJve4dpGF+ZujR0kft9btGgX3roleit/e+5Vp+vC',
    'vIZTX3VcKl1We9TtqxoGejv7DbyzDWeaEu7r2FuWq/b6JoUFzFFCSXwP77ptT9XudOA9zbV7dEvHPEnXrBsWbpfgfVTIbEM20xRw',
    'W4/CB3rGc8/grH9APaEnde8bnON5EXfhPM9Lzj/PIoN8AwqD9iBXV1Lps3vx306gEkf9yBKbIZlhieWu205PZa1N6rj4JeXaQqTS',
    '/n0UeLRf/3r0HffKcXS0WVJ+Fu1p8bVU0+haPWoxubb0nwJGxkqJG1jdgj953oRjDUyR1aGB9leM2rxW5dqF54l7MEyDMZNyD7sf',
    'PznNy0U81sM4+STU1Yt5ufbhCxjwVXdW8W8Nf4gdxF3EPuIxgqzjXYKYR+QRa4g6YgPRR+wgfkD8iLiNuIv4GXEPcX+dn+zb9UfW',
    'BgptjDjZQvhkBbk2P/JkmI59HmPl4cOfeJMlRsRYC8coyrWPXuTz+fmL8Zip9Je/PO7woOljPUyQC0MPw2YpP6+JJYlHfnCne210',
    '/c6R4rMG8o7vUsfADvpa5Zdvy+jItdz/NJKvlKqlSqVSKldXlvOlSnlpOZ+v4mKlXKwWqqXlEq5Wlyrc5cKd3wsZ9JHxXMa42aHP',
    '4IUzech59B2LsoMXyEyIqQnkqCsqKhK8BGZDIg+CIodunqhOsJGnQjqNODl8gUTpwW4ZD9H/iJNI70e5wS4Ic+8lItxClBus3jD3',
    'ZDLCLUa5wfqbCHFvB7hH5D1YFnMh8rRIRhRsXRHFcwflHT8/ZI5F5k8Ff77vP8hYfmLKe5mfevBfnqToc8a8/f7efwAaT0DqYQkA',
    'AA==',
  ],
  legacy: [
    'H4sIAAAAAAACA22SS2/TQBDHbcd1qKGlvFOe5e3wCCVq0uYCrYSqSgulDULyBRnHXmKD4/V4141AihQOLW1OHDlw6LFHjhz7Ubjy',
    'EZCQYGzTUlBW/q29s+P/zmP7ykAPfn5e/DH1emdlstJXnnwv4NwDyTAnJEmKYiaYwwJrjcbcZyHI6GCO4U7gCxFQi4aub4egbJo6',
    'GsXbiFrcf0c5FHqgGuYIGrnHYgEjRDELuPJDARpRTTXVYGEbikRNkr0zU+uaT7sgO4LFjlexEuEHXLdi2kr8wLUEDTmLrbWqDoph',
    'mMVUHz3tNoVC/ou+GDBbPMuNOqjmOPo0ZmYajfpcozY3W5uegZEsFCdKMJTSsoDiKtFIgSgbcIgoRNuA0S0Hsw6oIzBprj+NXRpT',
    '95HvCB30chMOCzjShLEsXs8OXsG4h+F4eyEsoWk/gqP/RVCv1uow4WlEwZOPrRKJKOtwnMjrcGLLS8VPCjjVhNNZ8RyWYMHO/KP+',
    'GMu2r176q16brTYaSB0mUV1G9bOoXi7nqucEnG/ChSzzlt+Gi4NR6c/YzYwhbcOlgZZZfmWZ2XGbw5SDr8iOOdWX7Q7lke3gsZfL',
    '7+FKD65mbXdZN+R2JwooXMP6qUT9ANd5K1Nlrgs3HM46tOthDfXn4ZsQ3XW4iQpGD8qGqaBbh8ItzzDl9BLB7Txdb2jv7nh5z+6m',
    'ldPWoZJW7l6e47SA+02oJq30Qr1IL9SQ4sjD+qEMO6pAK7J0YOBC2ft+IO2WDu5J/Yc4zeOD9JFtZBf5hkgLkjSBTCHTyDyygrxE',
    'IqSPbCIfkU/INrKDfEG+LvwGLGMXzKUDAAA=',
  ],
};

function source(format: keyof typeof FILES, damage?: (bytes: Uint8Array) => Uint8Array) {
  const bytes = Uint8Array.from(gunzipSync(Buffer.from(FILES[format].join(''), 'base64')));
  return blobSource(new Blob([Uint8Array.from(damage ? damage(bytes) : bytes)]));
}

describe.each(['zip', 'legacy'] as const)('a %s file of torch.save', (format) => {
  const open = async (): Promise<Map<string, unknown>> =>
    (await openTorchFile(source(format))) as Map<string, unknown>;
  const tensor = async (name: string): Promise<StoredTensor> => (await open()).get(name) as StoredTensor;

  it('reads a transposed view with steps, from the middle of its storage', async () => {
    const view = await tensor('view');
    expect(view).toMatchObject({ dtype: 'float32', shape: [3, 2], stride: [2, 6], offset: 6 });
    expect(Array.from(await view.readFloat32())).toEqual([6, 12, 8, 14, 10, 16]);
  });

  it('reads half precision and 64-bit integers', async () => {
    expect(Array.from(await (await tensor('half')).readFloat32())).toEqual([1.5, -2]);
    expect(await (await tensor('count')).read()).toEqual(BigInt64Array.of(2n ** 40n));
  });

  it('keeps the sign of long integers, and all digits', async () => {
    const saved = await open();
    expect(saved.get('neg')).toBe(-(2 ** 40));
    expect(saved.get('big')).toBe(-(2n ** 70n));
  });

  it('keeps what unknown classes hold, cycles too', async () => {
    const odd = (await open()).get('odd') as PythonObject;
    expect(odd).toBeInstanceOf(PythonObject);
    expect(odd.className).toBe('Unknown');
    expect(odd.attributes.get('me')).toBe(odd);
    const shared = odd.attributes.get('t') as StoredTensor;
    expect(Array.from(await shared.readFloat32())).toEqual([0, 1, 2, 3, 4, 5]);
  });

  it('makes plain settings of a Namespace', async () => {
    expect(at(toPlain(await open()), 'args', 'downsample')).toEqual([2, 4, 4]);
  });

  it('says that a file was cut short', async () => {
    const opened = openTorchFile(
      source(format, (bytes) => bytes.subarray(0, Math.floor(bytes.length * 0.6))),
    );
    await expect(opened).rejects.toThrow(/^This checkpoint cannot be read: /);
  });
});

describe('openTorchFile', () => {
  it('says when a file is something else', async () => {
    const page = blobSource(new Blob(['<!doctype html><title>404</title>']));
    await expect(openTorchFile(page)).rejects.toThrow(
      'neither a zip archive nor a legacy file of torch.save',
    );
    await expect(openTorchFile(blobSource(new Blob([])))).rejects.toThrow('neither');
  });
});

describe('openSafetensors', () => {
  const file = (header: string, data: Uint8Array<ArrayBuffer>): Blob => {
    const text = new TextEncoder().encode(header);
    return new Blob([BigUint64Array.of(BigInt(text.length)), text, data]);
  };
  const header = '{"x":{"dtype":"BF16","shape":[2],"data_offsets":[0,4]},"__metadata__":{"a":"b"}}';

  it('reads bfloat16', async () => {
    const tensors = await openSafetensors(blobSource(file(header, Uint8Array.of(0x80, 0x3f, 0x20, 0xc0))));
    expect([...tensors.keys()]).toEqual(['x']);
    expect(Array.from((await tensors.get('x')?.readFloat32()) ?? [])).toEqual([1, -2.5]);
  });

  it('refuses a tensor that is not all there, and a page in its place', async () => {
    await expect(openSafetensors(blobSource(file(header, Uint8Array.of(1))))).rejects.toThrow(
      'x does not fit',
    );
    await expect(openSafetensors(blobSource(new Blob(['<!doctype html>'])))).rejects.toThrow(
      'no safetensors file',
    );
  });
});

describe('layout', () => {
  it('transposes', () => {
    const values = Float32Array.from({ length: 24 }, (_, i) => i);
    const { shape, values: moved } = transpose({ shape: [2, 3, 4], values }, [2, 0, 1]);
    expect(shape).toEqual([4, 2, 3]);
    // moved[w, t, h] = values[t, h, w]
    expect(Array.from(moved.slice(0, 7))).toEqual([0, 4, 8, 12, 16, 20, 1]);
  });

  it('folds a batch norm', () => {
    const one = (value: number) => ({ shape: [1], values: Float32Array.of(value) });
    const { scale, bias } = foldBatchNorm({ weight: one(3), bias: one(1), mean: one(2), variance: one(4) });
    const factor = 3 / Math.sqrt(4 + 1e-5);
    expect(scale.values[0]).toBeCloseTo(factor, 6);
    expect(bias.values[0]).toBeCloseTo(1 - 2 * factor, 6);
  });
});
