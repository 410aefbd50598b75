/**
 * What a checkpoint's hyper-parameters say about the model, and only what its weights do not tell: each field is
 * there or undefined. A field of the wrong kind is a CheckpointError, as is one whose meaning is not supported.
 */
import { BLOCK_MODES, type BlockMode, type Extent3 } from '../../config/model';
import { at, type Plain, rootOf, toPlain } from './hyperparameters';
import { CheckpointError } from './source';

export interface Settings {
  /** One mode a block. */
  readonly modes?: readonly BlockMode[];
  readonly heads?: number;
  /** T'×H'×W' that the transformer was trained on. */
  readonly grid?: Extent3;
  /** Pixels of one token. */
  readonly downsample?: Extent3;
  /** Which of its settings that was read from. */
  readonly downsampleFrom?: string;
  /** Where the training data lay: its name often tells the data set. */
  readonly dataPath?: string;
}

/** `checkpoint` is what `openTorchFile` returned. @throws CheckpointError */
export function settingsOf(checkpoint: unknown): Settings {
  const hyper = checkpoint instanceof Map ? checkpoint.get('hyper_parameters') : undefined;
  const field = (name: string): unknown => (hyper instanceof Map ? hyper.get(name) : undefined);
  const vqgan = toPlain(field('args'));
  const transformer = toPlain(field('transformer_config'));
  const mask = field('mask_config');
  const data = at(toPlain(rootOf(mask)), 'data');
  checkSupported(vqgan);
  const modes = at(transformer, 'mode');
  const heads = at(transformer, 'n_head');
  const shape = at(toPlain(mask), 'params', 'shape');
  const grid = shape === undefined ? undefined : extent3(shape, 'mask_config.params.shape');
  const path = at(data, 'data_path');
  return {
    ...(modes === undefined ? {} : { modes: blockModes(modes) }),
    ...(heads === undefined ? {} : { heads: positive(heads, 'transformer_config.n_head') }),
    ...(grid ? { grid } : {}),
    ...downsampleOf(vqgan, data, grid),
    ...(typeof path === 'string' ? { dataPath: path } : {}),
  };
}

function checkSupported(vqgan: Plain): void {
  const padding = at(vqgan, 'padding_type') ?? 'replicate';
  if (padding !== 'replicate') {
    throw new CheckpointError(`its padding_type is ${show(padding)}; only replicate is supported`);
  }
}

/**
 * Pixels of one token. A VQGAN's settings say it; a transformer's do not, but the configuration they were cut out
 * of has the clip's length and resolution, and the mask's shape the token grid.
 */
function downsampleOf(
  vqgan: Plain,
  data: Plain,
  grid: Extent3 | undefined,
): Pick<Settings, 'downsample' | 'downsampleFrom'> {
  const given = at(vqgan, 'downsample');
  if (given !== undefined) {
    return { downsample: factors(extent3(given, 'args.downsample')), downsampleFrom: 'args.downsample' };
  }
  const [frames, resolution] = [at(data, 'sequence_length'), at(data, 'resolution')];
  if (!grid || frames === undefined || resolution === undefined) return {};
  const [t, h, w] = grid;
  const length = positive(frames, 'data.sequence_length');
  const edge = positive(resolution, 'data.resolution');
  const from = 'data.sequence_length and data.resolution, divided by mask_config.params.shape';
  return { downsample: factors([length / t, edge / h, edge / w]), downsampleFrom: from };
}

/** @throws CheckpointError unless all are powers of two */
function factors(downsample: Extent3): Extent3 {
  if (downsample.every((factor) => Number.isInteger(Math.log2(factor)) && factor <= 64)) return downsample;
  throw new CheckpointError(
    `its settings make ${downsample.join('×')} pixels of a token; powers of two up to 64 are expected`,
  );
}

function blockModes(modes: Plain): readonly BlockMode[] {
  const known = (mode: unknown): mode is BlockMode => BLOCK_MODES.some((name) => name === mode);
  if (Array.isArray(modes) && modes.length > 0 && modes.every(known)) return modes;
  throw new CheckpointError(
    `its transformer_config.mode is ${show(modes)}, not a list of ${BLOCK_MODES.join(', ')}`,
  );
}

function extent3(value: Plain, name: string): Extent3 {
  if (!Array.isArray(value) || value.length !== 3) {
    throw new CheckpointError(
      `its setting ${name} is ${show(value)}, not three numbers (time, height, width)`,
    );
  }
  return [positive(value[0], name), positive(value[1], name), positive(value[2], name)];
}

function positive(value: Plain, name: string): number {
  if (typeof value === 'number' && Number.isInteger(value) && value > 0 && value < 2 ** 24) return value;
  throw new CheckpointError(`its setting ${name} is ${show(value)}, not a positive whole number`);
}

function show(value: Plain): string {
  if (value === undefined) return 'nothing';
  if (typeof value === 'object' && value !== null) {
    return Array.isArray(value) ? `a list of ${value.length}` : 'an object';
  }
  return String(value).slice(0, 60);
}
