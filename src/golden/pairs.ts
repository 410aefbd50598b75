/** Which files of a folder make up a model: a transformer's, and a VQGAN's where the transformer's does not hold it. */
import { CheckpointError, type CheckpointFile, readOfficialModel } from '../loader/checkpoint';
import { planConversion } from '../loader/convert';
import type { GoldenFolder } from './folder';

/** @throws Error where no VQGAN of the folder fits */
export async function filesOfModel(folder: GoldenFolder, file: string): Promise<readonly CheckpointFile[]> {
  const first = await folder.checkpointFile(file);
  if (readOfficialModel(await folder.checkpoint(file)).tokenizer) return [first];
  for (const other of Object.keys(folder.manifest.checkpoints ?? {})) {
    if (readOfficialModel(await folder.checkpoint(other)).transformer) continue;
    const pair = [first, await folder.checkpointFile(other)];
    if (await fits(pair)) return pair;
  }
  throw new Error(`No VQGAN of the folder fits ${file}.`);
}

async function fits(files: readonly CheckpointFile[]): Promise<boolean> {
  try {
    return (await planConversion(files, { quantization: 'float32' })).kind === 'ready';
  } catch (error) {
    if (error instanceof CheckpointError) return false;
    throw error;
  }
}
