/** The engine's library in memory: checkpoints that need an answer, and models that are "converted" at once. */
import type { ModelEntry } from '../../worker/protocol';
import type { Library } from '../context';

export const FAKE_HASH = 'a'.repeat(64);
const FACTS = {
  license: 'MIT',
  parameters: 344_500_000,
  clip: [128, 128, 128],
  flopsPerSecond: 4e12,
} as const;
const SIZES = { int8: 365e6, int4: 200e6, float16: 730e6, float32: 1460e6 } as const;

export function createFakeLibrary(): Library {
  const kept = new Map<string, ModelEntry>();
  return {
    inspect: async (_files, { answers }) =>
      answers.downsample
        ? {
            kind: 'ready',
            facts: { name: 'fake', ...FACTS },
            sizes: SIZES,
            memory: null,
            sampling: 'general',
            missing: [],
            report: 'planned',
          }
        : {
            kind: 'needs',
            needs: [
              { what: 'downsample', why: 'Strides cannot be read off weights.', suggestion: [4, 8, 8] },
            ],
          },
    convert: async (_files, { quantization, name = 'fake' }, { signal, onProgress } = {}) => {
      const bytes = SIZES[quantization];
      for (let i = 1; i <= 4; i++) {
        await new Promise((resolve) => setTimeout(resolve, 1));
        if (signal?.aborted) throw new DOMException('Stopped.', 'AbortError');
        onProgress?.((bytes * i) / 4, bytes);
      }
      const model = { ...FACTS, name, hash: FAKE_HASH, bytes, memory: null };
      kept.set(model.hash, model);
      return { model, report: 'done' };
    },
    models: async () => ({
      own: [
        {
          ...FACTS,
          name: 'sky-64',
          parameters: 10_000_000,
          hash: 'b'.repeat(64),
          bytes: 12_940_000,
          memory: null,
        },
        null,
      ],
      kept: [...kept.values()],
      storage: { used: 13e6, quota: 4e9 },
    }),
    describe: async (url) => {
      if (!url.includes('hosted')) throw new Error(`A weight manifest was expected at ${url}.`);
      return {
        ...FACTS,
        name: 'hosted',
        license: 'CC0-1.0',
        hash: 'c'.repeat(64),
        bytes: 345e6,
        memory: null,
      };
    },
    removeModel: async (hash) => {
      const bytes = kept.get(hash)?.bytes ?? 0;
      kept.delete(hash);
      return bytes;
    },
    modelReport: async () => 'done',
  };
}
