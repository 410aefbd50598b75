/** The checkpoint reader: files of torch.save and safetensors, and the official models in them. */

export type { PlainTensor } from './layout';
export {
  field,
  type OfficialModel,
  partsOf,
  readOfficialModel,
  stateDictOf,
  tokenizerConfig,
  transformerConfig,
} from './officialModel';
export { type CheckpointFile, type OpenedCheckpoint, openCheckpoint } from './open';
export { openSafetensors } from './safetensors';
export { type ByteSource, blobSource, CheckpointError, checkRange } from './source';
export { StoredTensor } from './tensor';
export { openTorchFile } from './torchFile';
