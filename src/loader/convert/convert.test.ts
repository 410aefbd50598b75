// Conversion of whole (small) checkpoints: what comes out, what is asked for, and what an interruption leaves.
import { describe, expect, it } from 'vitest';
import { blobSource, CheckpointError } from '../checkpoint';
import type { CheckpointFile } from '../checkpoint/open';
import { dequantize } from '../dequantize';
import { parseManifest } from '../manifest';
import { sha256 } from '../sha256';
import { convertInMemory, MemorySink } from '../testing/memorySink';
import {
  MICRO,
  MICRO_ANSWERS,
  safetensors,
  tensorsOf,
  transformerAlone,
  vqganAlone,
  wholeModel,
} from '../testing/microFiles';
import { TINY_OFFICIAL, transformerShapes, vqganSettings, vqganShapes } from '../testing/officialShapes';
import { lightningCheckpoint, type SavedValue, torchLegacy, torchZip } from '../testing/torchWriter';
import { convert, planConversion, reportText } from './index';

const fileOf = (name: string, bytes: Uint8Array<ArrayBuffer>): CheckpointFile => ({
  name,
  source: blobSource(new Blob([bytes])),
});
const zipOf = async (name: string, value: SavedValue) => fileOf(name, await torchZip(value));
const whole = () => zipOf('mebt.ckpt', wholeModel(TINY_OFFICIAL));

/** The tensors of a transformer with its VQGAN, as safetensors: no settings. */
function asSafetensors(): CheckpointFile {
  const vqgan = Array.from(tensorsOf(vqganShapes(MICRO)), ([name, tensor]) => {
    return [`first_stage_model.${name}`, tensor] as const;
  });
  const header: Record<string, unknown> = {};
  const parts: Uint8Array[] = [];
  let at = 0;
  for (const [name, tensor] of [...tensorsOf(transformerShapes(MICRO)), ...vqgan]) {
    const bytes = Buffer.concat([...tensor.chunks()]);
    header[name] = { dtype: 'F32', shape: tensor.shape, data_offsets: [at, at + bytes.length] };
    parts.push(bytes);
    at += bytes.length;
  }
  return fileOf('mebt.safetensors', safetensors(header, Buffer.concat(parts)));
}

describe('convert', () => {
  it('gives the same weights from the zip format, the legacy one, and from two files', async () => {
    const options = { quantization: 'float32', name: 'm' } as const;
    const value = wholeModel(TINY_OFFICIAL);
    const zip = await convertInMemory([await zipOf('a.ckpt', value)], options);
    const legacy = await convertInMemory([fileOf('a.ckpt', await torchLegacy(value))], options);
    const pair = [
      await zipOf('vqgan.ckpt', vqganAlone(TINY_OFFICIAL)),
      await zipOf('transformer.ckpt', transformerAlone(TINY_OFFICIAL)),
    ];
    const two = await convertInMemory(pair, options);
    expect(legacy.manifest.sha256).toBe(zip.manifest.sha256);
    expect(two.manifest.shards).toEqual(zip.manifest.shards);
    expect(zip.manifest.model.transformer).toMatchObject({ heads: 2, width: 16, positions: 16 });
    expect(zip.manifest.model.grid).toEqual(TINY_OFFICIAL.grid);
  });

  it.each([
    ['float16', 4e-4],
    ['int8', 0.012],
    ['int4', 0.13],
  ] as const)('to %s is off by no more than it says, and by no more than %f', async (quantization, limit) => {
    const exact = await convertInMemory([await whole()], { quantization: 'float32' });
    const { manifest, sink, used } = await convertInMemory([await whole()], { quantization, group: 32 });
    const values = (converted: typeof exact, name: string) => {
      const entry = converted.manifest.tensors.find((tensor) => tensor.name === name);
      if (!entry) throw new Error(`no ${name}`);
      return dequantize(entry, (i) => converted.sink.shards[i] ?? new ArrayBuffer(0));
    };
    for (const { name, error } of used) {
      const [before, after] = [values(exact, name), values({ ...exact, manifest, sink }, name)];
      const off = before.reduce((sum, x, i) => sum + (x - (after[i] ?? Number.NaN)) ** 2, 0);
      const size = before.reduce((sum, x) => sum + x * x, 0);
      expect(Math.abs(Math.sqrt(off / size) - error), name).toBeLessThan(1e-6);
      expect(error, name).toBeLessThanOrEqual(limit);
    }
    const dtypes = new Map(manifest.tensors.map(({ name, dtype }) => [name, dtype]));
    expect(dtypes.get('transformer.blocks.0.query.weight')).toBe(quantization);
    expect(dtypes.get('transformer.blocks.0.query.bias')).toBe('float32');
    expect(dtypes.get('tokenizer.codebook')).toBe('float32');
  });

  it('hashes every shard, keeps shards small, and writes the manifest last', async () => {
    const { manifest, sink } = await convertInMemory([await whole()], {
      quantization: 'int8',
      shardBytes: 4096,
    });
    expect(manifest.shards.length).toBeGreaterThan(4);
    for (const { file, sha256: hash, bytes } of manifest.shards) {
      const stored = sink.files.get(file);
      expect(stored?.length).toBe(bytes);
      expect(await sha256(stored ?? new Uint8Array())).toBe(hash);
    }
    expect((await parseManifest(sink.text ?? '', 'test')).sha256).toBe(manifest.sha256);
  });

  it('once stopped leaves no manifest', async () => {
    const inspection = await planConversion([await whole()], { quantization: 'int8' });
    if (inspection.kind !== 'ready') throw new Error('not ready');
    const stop = new AbortController();
    const sink = new MemorySink();
    const run = async () => {
      for await (const { doneBytes } of convert(inspection.plan, sink, {
        signal: stop.signal,
        shardBytes: 1024,
      })) {
        if (doneBytes > inspection.plan.bytes / 2) stop.abort(new Error('stopped'));
      }
    };
    await expect(run()).rejects.toThrow('stopped');
    expect(sink.files.size).toBeGreaterThan(0);
    expect(sink.text).toBeUndefined();
  });

  it('leaves the encoder out when asked, and says so', async () => {
    const { manifest, plan } = await convertInMemory([await whole()], {
      quantization: 'int8',
      encoder: false,
    });
    expect(manifest.model.tokenizer.encoder).toBeUndefined();
    const skipped = plan.skipped.filter(({ name }) => name.includes('.encoder.'));
    expect(skipped.length).toBeGreaterThan(10);
    expect(skipped.every(({ reason }) => reason.includes('encoder'))).toBe(true);
  });

  it('reports what is used, skipped and unknown', async () => {
    const value = wholeModel(MICRO) as Map<string, SavedValue>;
    const state = value.get('state_dict') as Map<string, SavedValue>;
    const [one] = state.values();
    state.set('class_emb.weight', one ?? null).set('first_stage_model.codebook.N', one ?? null);
    const converted = await convertInMemory([await zipOf('m.ckpt', value)], { quantization: 'int8' });
    const text = reportText(converted.plan, converted);
    expect(converted.plan.skipped.filter(({ unknown }) => unknown).map(({ name }) => name)).toEqual([
      'class_emb.weight',
    ]);
    for (const { name } of converted.used) expect(text).toContain(name);
    expect(text).toContain('class_emb.weight');
    expect(text).toContain('running statistics');
  });
});

describe('planConversion', () => {
  it('asks for exactly what a file without settings does not say, and goes on with the answers', async () => {
    const inspection = await planConversion([asSafetensors()], { quantization: 'int8' });
    expect(inspection).toMatchObject({ kind: 'needs' });
    const needs = inspection.kind === 'needs' ? inspection.needs.map(({ what }) => what) : [];
    expect(needs.sort()).toEqual(['downsample', 'grid', 'heads', 'modes']);
    const { manifest } = await convertInMemory([asSafetensors()], {
      quantization: 'int8',
      answers: MICRO_ANSWERS,
    });
    const reference = await convertInMemory([await zipOf('m.ckpt', wholeModel(MICRO))], {
      quantization: 'int8',
    });
    expect(manifest.shards).toEqual(reference.manifest.shards);
  });

  it('asks for the other file when only one part is there', async () => {
    const vqgan = await planConversion([await zipOf('v.ckpt', vqganAlone(MICRO))], { quantization: 'int8' });
    expect(vqgan).toMatchObject({ kind: 'needs', needs: [{ what: 'transformer' }] });
    const transformer = await planConversion([await zipOf('t.ckpt', transformerAlone(MICRO))], {
      quantization: 'int8',
    });
    expect(transformer).toMatchObject({ kind: 'needs', needs: [{ what: 'tokenizer' }] });
  });

  it('lists every tensor that is missing', async () => {
    const value = wholeModel(MICRO) as Map<string, SavedValue>;
    const state = value.get('state_dict') as Map<string, SavedValue>;
    state.delete('transformer.blocks.1.mlp.0.weight');
    state.delete('first_stage_model.decoder.conv_last.conv.bias');
    const inspection = await planConversion([await zipOf('m.ckpt', value)], { quantization: 'int8' });
    if (inspection.kind !== 'ready') throw new Error('not ready');
    expect(inspection.plan.missing).toEqual([
      'transformer.blocks.1.mlp.0.weight',
      'first_stage_model.decoder.conv_last.conv.bias',
    ]);
    await expect(convert(inspection.plan, new MemorySink()).next()).rejects.toThrow(CheckpointError);
  });

  it('takes the VQGAN in the transformer’s file, and the settings of the same one beside it', async () => {
    const value = wholeModel(MICRO) as Map<string, SavedValue>;
    value.delete('hyper_parameters');
    const files = [await zipOf('m.ckpt', value), await zipOf('v.ckpt', vqganAlone(MICRO))];
    const { downsample: _, ...answers } = MICRO_ANSWERS;
    const { plan } = await convertInMemory(files, { quantization: 'int8', answers });
    expect(new Set(plan.tensors.map(({ file }) => file))).toEqual(new Set(['m.ckpt']));
    expect(plan.facts.find(({ what }) => what === 'downsample')?.from).toBe('v.ckpt: args.downsample');
    const unused = plan.skipped.filter(({ file, name }) => file === 'v.ckpt' && name.startsWith('decoder.'));
    expect(unused.length).toBeGreaterThan(5);
    expect(new Set(unused.map(({ reason }) => reason))).toEqual(
      new Set(["the transformer's file brings its own tokenizer"]),
    );
  });

  it('refuses a VQGAN beside the transformer’s own when their codebooks differ', async () => {
    const whole = await zipOf('m.ckpt', wholeModel(MICRO));
    const others = tensorsOf(vqganShapes(MICRO), 'other');
    const other = await zipOf('v.ckpt', lightningCheckpoint(others, vqganSettings(MICRO)));
    await expect(planConversion([whole, other], { quantization: 'int8' })).rejects.toThrow(
      /^v\.ckpt cannot be read: its codebook is another than that of the VQGAN inside m\.ckpt \(relative L2 1\.\d\); leave v\.ckpt out/,
    );
    const larger = await zipOf('v.ckpt', vqganAlone({ ...MICRO, codes: 16 }));
    await expect(planConversion([larger, whole], { quantization: 'int8' })).rejects.toThrow(
      /its codebook has the shape \[16,4\] and that of the VQGAN inside m\.ckpt \[8,4\]/,
    );
  });

  it('refuses two files that contradict each other, and a file given twice', async () => {
    const other = { ...MICRO, downsample: [1, 2, 2] as const };
    const pair = [await zipOf('t.ckpt', transformerAlone(MICRO)), await zipOf('v.ckpt', vqganAlone(other))];
    await expect(planConversion(pair, { quantization: 'int8' })).rejects.toThrow('do not belong together');
    const twice = [
      await zipOf('t.ckpt', transformerAlone(MICRO)),
      await zipOf('t.ckpt', transformerAlone(MICRO)),
    ];
    await expect(planConversion(twice, { quantization: 'int8' })).rejects.toThrow('given twice');
  });
});
