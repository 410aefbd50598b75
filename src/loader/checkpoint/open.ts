/** Any file that may hold an official model, told by its first bytes: torch.save's two formats, and safetensors. */
import { stateDictOf } from './officialModel';
import { openSafetensors } from './safetensors';
import { type Settings, settingsOf } from './settings';
import { type ByteSource, CheckpointError, inFile } from './source';
import { StateDict } from './stateDict';
import { StoredTensor } from './tensor';
import { HEAD_BYTES, isTorchFile, openTorchFile } from './torchFile';

export interface CheckpointFile {
  /** For messages. */
  readonly name: string;
  readonly source: ByteSource;
}

/** What else is saved beside the weights, by its key: optimizer states, above all. */
export interface OtherContent {
  readonly key: string;
  readonly tensors: number;
  readonly elements: number;
}

export interface OpenedCheckpoint {
  readonly file: string;
  readonly state: StateDict;
  readonly settings: Settings;
  readonly others: readonly OtherContent[];
}

/** @throws CheckpointError that names the file */
export function openCheckpoint({ name, source }: CheckpointFile): Promise<OpenedCheckpoint> {
  return inFile(name, async () => {
    const head = await source.read(0, Math.min(source.size, HEAD_BYTES));
    if (!isTorchFile(head) && head[8] === '{'.charCodeAt(0)) {
      const tensors = await openSafetensors(source);
      return { file: name, state: StateDict.of(tensors), settings: {}, others: [] };
    }
    const saved = await openTorchFile(source);
    return {
      file: name,
      state: StateDict.of(stateDictOf(saved)),
      settings: settingsOf(saved),
      others: othersIn(saved),
    };
  });
}

function othersIn(saved: unknown): OtherContent[] {
  if (!(saved instanceof Map) || !saved.has('state_dict')) return [];
  const keys = [...saved.keys()].filter(
    (key) => typeof key === 'string' && key !== 'state_dict' && key !== 'hyper_parameters',
  );
  return keys.map((key) => ({ key, ...countTensors(saved.get(key)) }));
}

/** Nothing is read for this, and what is shared or cyclic counts once. */
function countTensors(value: unknown): { tensors: number; elements: number } {
  const seen = new Set<unknown>();
  const waiting: unknown[] = [value];
  let [tensors, elements] = [0, 0];
  while (waiting.length > 0) {
    const next = waiting.pop();
    if (typeof next !== 'object' || next === null || seen.has(next)) continue;
    seen.add(next);
    if (next instanceof StoredTensor) {
      tensors += 1;
      elements += next.size;
    } else if (next instanceof Map) {
      for (const item of next.values()) waiting.push(item);
    } else if (Array.isArray(next)) {
      for (const item of next) waiting.push(item);
    }
  }
  return { tensors, elements };
}

/** @throws CheckpointError where two files have one name: messages could not tell them apart */
export function checkNames(files: readonly CheckpointFile[]): void {
  if (new Set(files.map(({ name }) => name)).size === files.length) return;
  throw new CheckpointError('it is given twice; choose two different files', files[0]?.name);
}
