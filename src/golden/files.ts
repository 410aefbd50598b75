/** Checks that need no model: checksums, checkpoints, and the reader's zoo of tensors and objects. */
import { createHash } from 'node:crypto';
import { field, StoredTensor, stateDictOf } from '../loader/checkpoint';
import { expectEqual } from './compare';
import type { CheckpointFacts, GoldenFolder, TensorFacts } from './folder';
import type { Report } from './report';

const SUMS = 'SHA256SUMS';

/** Lines `<hex>  <file>`. */
function listedSums(folder: GoldenFolder): [sum: string, file: string][] {
  if (!folder.has(SUMS)) return [];
  const lines = folder.text(SUMS).split('\n').filter(Boolean);
  return lines.map((line) => {
    const [sum = '', file = ''] = line.split(/\s+\*?/, 2);
    return [sum, file];
  });
}

export async function checkSums(folder: GoldenFolder, report: Report): Promise<void> {
  const sums = listedSums(folder);
  if (sums.length === 0) report.skip(SUMS, 'the folder has none');
  for (const [sum, file] of sums) {
    await report.check(`sha256 ${file}`, () => {
      expectEqual(createHash('sha256').update(folder.bytes(file)).digest('hex'), sum, 'sha256');
    });
  }
}

export async function checkCheckpoints(folder: GoldenFolder, report: Report): Promise<void> {
  for (const [file, facts] of Object.entries(folder.manifest.checkpoints ?? {})) {
    await report.check(`${file} keys`, async () => checkHeader(await folder.checkpoint(file), facts));
    const stateDict = factsOf(folder, facts);
    for (const [name, expected] of Object.entries(stateDict)) {
      await report.check(`${file} ${name}`, async () => {
        await checkTensor(stateDictOf(await folder.checkpoint(file)).get(name), expected);
      });
    }
    if (Object.keys(stateDict).length === 0)
      report.skip(`${file} state_dict`, 'the manifest lists no tensors');
  }
}

/** The listed tensors, or those of the file that the sentence in their place names. */
function factsOf(
  folder: GoldenFolder,
  { state_dict: listed }: CheckpointFacts,
): Readonly<Record<string, TensorFacts>> {
  if (typeof listed !== 'string') return listed ?? {};
  const other = Object.entries(folder.manifest.checkpoints ?? {}).find(([file]) =>
    listed.includes(file),
  )?.[1];
  return typeof other?.state_dict === 'object' ? other.state_dict : {};
}

function checkHeader(checkpoint: unknown, facts: CheckpointFacts): void {
  if (!(checkpoint instanceof Map)) throw new Error('the saved object is no dict');
  if (facts.top_level_keys) expectEqual([...checkpoint.keys()], facts.top_level_keys, 'keys');
  const fields = {
    epoch: 'epoch',
    global_step: 'global_step',
    lightning: 'pytorch-lightning_version',
  } as const;
  for (const [fact, key] of Object.entries(fields)) {
    const expected = facts[fact as keyof typeof fields];
    if (expected !== undefined) expectEqual(field(checkpoint, key), expected, key);
  }
}

/** dtype, shape, sum, max |x| and the first values, given with 9 digits. */
async function checkTensor(tensor: StoredTensor | undefined, expected: TensorFacts): Promise<void> {
  if (!tensor) throw new Error('is missing');
  const [dtype, shape, sum, max, ...first] = expected;
  expectEqual(tensor.dtype, dtype, 'dtype');
  expectEqual(tensor.shape, shape, 'shape');
  const values = Array.from((await tensor.read()) as ArrayLike<number | bigint>, Number);
  const largest = values.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  const weight = values.reduce((total, value) => total + Math.abs(value), 0);
  const near = (actual: number, wanted: number | undefined, scale: number, what: string): void => {
    if (wanted !== undefined && !(Math.abs(actual - wanted) <= 1e-8 * scale)) {
      throw new Error(`${what} is ${actual} instead of ${wanted}`);
    }
  };
  near(
    values.reduce((total, value) => total + value, 0),
    sum,
    Math.max(weight, Math.abs(sum ?? 0)),
    'sum',
  );
  near(largest, max, largest, 'max|x|');
  for (const [i, value] of first.entries())
    near(values[i] ?? Number.NaN, value, Math.abs(value), `value ${i}`);
}

interface ZooTensor {
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly stride: readonly number[];
  readonly storage_offset: number;
  readonly values: readonly (number | string | boolean)[];
}
interface Zoo {
  readonly tensors: Readonly<Record<string, ZooTensor>>;
  readonly object_keys: readonly string[];
}

/** A zoo is `<stem>.json`, the expectations, beside files `<stem>.pt`, `<stem>.<variant>.pt` of torch.save. */
export async function checkZoos(folder: GoldenFolder, report: Report): Promise<void> {
  const files = listedSums(folder).map(([, file]) => file);
  const zoos = files
    .filter((file) => file.endsWith('.json') && file !== 'manifest.json')
    .filter((file) => {
      const stem = file.slice(0, -'.json'.length);
      return files.some((other) => other.startsWith(`${stem}.`) && other.endsWith('.pt'));
    });
  for (const zoo of zoos) {
    const expected = folder.json(zoo) as Zoo;
    const stem = zoo.slice(0, -'.json'.length);
    for (const file of files.filter((name) => name.startsWith(`${stem}.`) && name.endsWith('.pt'))) {
      await checkZoo(folder, file, expected, report);
    }
  }
}

async function checkZoo(folder: GoldenFolder, file: string, zoo: Zoo, report: Report): Promise<void> {
  for (const [name, expected] of Object.entries(zoo.tensors)) {
    await report.check(`${file} ${name}`, async () => {
      const tensors = field(await folder.checkpoint(file), 'tensors');
      const tensor = field(tensors, name);
      if (!(tensor instanceof StoredTensor)) throw new Error('is no tensor');
      const { dtype, shape, stride, offset } = tensor;
      expectEqual({ dtype, shape, stride, offset }, pickLayout(expected), 'layout');
      const values = Array.from((await tensor.read()) as ArrayLike<number | bigint>);
      expectEqual(values.map(asText), expected.values.map(asText), 'values');
    });
  }
  await report.check(`${file} objects`, async () => {
    const objects = field(await folder.checkpoint(file), 'objects');
    if (!(objects instanceof Map)) throw new Error('objects are no dict');
    expectEqual([...objects.keys()], zoo.object_keys, 'keys');
  });
}

function pickLayout({ dtype, shape, stride, storage_offset: offset }: ZooTensor): object {
  return { dtype, shape, stride, offset };
}

/** Exact text of a value: 64-bit integers keep all digits, booleans are 0 and 1, JSON's "inf" is Infinity. */
function asText(value: number | bigint | string | boolean): string {
  if (typeof value === 'string') return value.replace(/^(-?)inf$/, '$1Infinity');
  return String(typeof value === 'boolean' ? Number(value) : value);
}
