import * as tf from '@tensorflow/tfjs-core';
import { expect, it } from 'vitest';
import { denseOf, type ModelConfig } from '../config/model';
import { switchBackend } from '../kernels/testing/backends';
import { peakBytes } from '../pipeline/peakBytes';
import { halfContext } from './families';
import { randomReader } from './initialization';
import { readTransformer, runHeadInChunks, runTransformer, runTrunk } from './transformer';

const model: ModelConfig = {
  transformer: { width: 256, heads: 8, latentTokens: 128, vocabulary: 1024, positions: 8192,
    modes: ['latent_enc','latent_self','latent_enc','latent_self','latent_enc','latent_self','latent_enc','latent_dec','lt2l','latent_dec','lt2l','latent_dec'] },
  tokenizer: { codes: 1024, codeWidth: 4, norm: 'none', decoder: [] },
  grid: [32, 16, 16], frameRate: 8, sampling: {},
};
const MiB = 2 ** 20;
it('peak', { timeout: 600000 }, async () => {
  await switchBackend('wasm');
  const N = Number(process.env.N ?? 8192);
  const sets = halfContext(N, 1024);
  const out: string[] = [];
  for (const [name, config] of [['mebt', model.transformer], ['dense', denseOf(model.transformer)]] as const) {
    const heads = name === 'dense' ? { ...config, modes: config.modes.slice(0, Number(process.env.DENSE ?? 1)) } : config;
    const m = { ...model, transformer: heads };
    const p = readTransformer(heads, randomReader(m, 11));
    const whole = await peakBytes(async () => { const t = performance.now(); const y = runTransformer(p, sets); const d = y.dataSync(); y.dispose();
      let h = 0; for (let i = 0; i < d.length; i += 97) h = (h * 31 + (d[i]! * 1e6 | 0)) | 0; return [performance.now() - t, h]; });
    const chunked = await peakBytes(async () => { const h = runTrunk(p, sets); for (const _ of runHeadInChunks(p, h)); h.dispose(); });
    const trunk = await peakBytes(async () => { const h = runTrunk(p, sets); h.dispose(); });
    out.push(`${name} whole ${(whole.bytes / MiB).toFixed(2)} chunked ${(chunked.bytes / MiB).toFixed(2)} trunk ${(trunk.bytes / MiB).toFixed(2)} ms ${whole.result}`);
    if (name === 'mebt') { const ts: number[] = []; for (let i = 0; i < 5; i++) { const t = process.cpuUsage(); const h = runTrunk(p, sets); h.dataSync(); h.dispose(); const c = process.cpuUsage(t); ts.push((c.user + c.system) / 1000); } out.push('cpu ms ' + ts.map((x) => x | 0)); }
    tf.dispose(p as unknown as tf.TensorContainer);
  }
  console.log(out.join('\n'));
  expect(1).toBe(1);
});
