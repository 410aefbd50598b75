/** The command line of `npm run convert`: its help, and its options as the conversion takes them. */
import { resolve } from 'node:path';
import { BLOCK_MODES, type BlockMode, type Extent3 } from '../src/config/model';
import {
  type Answers,
  type ConversionOptions,
  INT4_GROUPS,
  QUANTIZATIONS,
  SAMPLING_RECIPES,
} from '../src/loader/convert';
import { oneOf, readCommandLine, UsageError } from './commandLine';

export const HELP = `npm run convert -- --transformer A.ckpt [--vqgan B.ckpt] --quantize int8 --out weights/NAME

Converts a checkpoint of MeBT (Net2NetTransformer) with the VQGAN in it, or a file beside it, to a model that the
page loads with ?model=NAME. Files of torch.save (.ckpt, .pt) and safetensors are read; nothing in them is executed.

  --transformer FILE     the transformer's checkpoint
  --vqgan FILE           the VQGAN's, where the transformer's does not hold it or does not say its strides
  --quantize KIND        ${QUANTIZATIONS.join(', ')}
  --group N              rows of int4 that share a scale: ${INT4_GROUPS.join(' or ')} (default 64)
  --out FOLDER           where to write; a folder under weights/ is served by the page
  --name NAME            what the page calls it (default: the folder's name)
  --license TEXT         an SPDX identifier or a sentence, shown beside the model
  --no-encoder           leave out the tokenizer's encoder, which prediction and inpainting need
  --frame-rate N         frames per second of a finished clip (default 16)
  --sampling RECIPE      the official sampling options: ${SAMPLING_RECIPES.join(', ')}
  --dry-run              convert without writing, and print the whole report
  --force                replace FOLDER
  --help                 print this

What cannot be read off the files must be given, and is asked for where it is missing:
  --downsample T,H,W     frames, rows and columns of one token, such as 4,8,8
  --grid T,H,W           tokens of the longest clip along time, height and width, such as 4,16,16
  --heads N              attention heads
  --modes A,B,…          one of ${BLOCK_MODES.join(', ')} a block

Exit codes: 0 converted, 1 failed (nothing is left behind), 2 called wrongly, or something has to be given.`;

export interface CommandLine {
  readonly files: readonly string[];
  readonly out: string;
  readonly force: boolean;
  readonly dryRun: boolean;
  readonly options: ConversionOptions;
}

const text = { type: 'string' } as const;
const flag = { type: 'boolean' } as const;
const KNOWN = {
  transformer: text,
  vqgan: text,
  quantize: text,
  group: text,
  out: text,
  name: text,
  license: text,
  'no-encoder': flag,
  'frame-rate': text,
  sampling: text,
  downsample: text,
  grid: text,
  heads: text,
  modes: text,
  'dry-run': flag,
  force: flag,
  help: flag,
} as const;

/** @throws UsageError */
export function parseCommandLine(args: string[]): CommandLine | 'help' {
  const values = readValues(args);
  if (values.help) return 'help';
  const files = [values.transformer, values.vqgan].filter((path) => path !== undefined);
  if (files.length === 0) throw new UsageError('--transformer names the checkpoint to convert');
  const dryRun = values['dry-run'] ?? false;
  if (!values.out && !dryRun) throw new UsageError('--out names the folder to write to');
  const out = resolve(values.out ?? '.');
  const name = values.name ?? (values.out ? out.split(/[\\/]/).at(-1) : undefined);
  const group = values.group === undefined ? 64 : oneOf('--group', INT4_GROUPS, Number(values.group));
  return {
    files,
    out,
    force: values.force ?? false,
    dryRun,
    options: {
      quantization: oneOf('--quantize', QUANTIZATIONS, values.quantize),
      group,
      ...(name ? { name } : {}),
      ...(values.license ? { license: values.license } : {}),
      encoder: !values['no-encoder'],
      answers: answersOf(values),
    },
  };
}

type Values = ReturnType<typeof readValues>;

function readValues(args: string[]) {
  return readCommandLine({ args, options: KNOWN, strict: true, allowPositionals: false }).values;
}

function answersOf(values: Values): Answers {
  const { downsample, grid, heads, modes, sampling } = values;
  const frameRate = values['frame-rate'];
  return {
    ...(downsample ? { downsample: extents('--downsample', downsample) } : {}),
    ...(grid ? { grid: extents('--grid', grid) } : {}),
    ...(heads ? { heads: whole('--heads', heads) } : {}),
    ...(modes
      ? { modes: modes.split(',').map((mode): BlockMode => oneOf('--modes', BLOCK_MODES, mode)) }
      : {}),
    ...(frameRate ? { frameRate: positive('--frame-rate', frameRate) } : {}),
    ...(sampling ? { sampling: oneOf('--sampling', SAMPLING_RECIPES, sampling) } : {}),
  };
}

function extents(option: string, value: string): Extent3 {
  const [t, h, w, ...rest] = value.split(',').map((part) => whole(option, part));
  if (t === undefined || h === undefined || w === undefined || rest.length > 0) {
    throw new UsageError(`${option} must be three numbers (time,height,width), got ${value}`);
  }
  return [t, h, w];
}

function whole(option: string, value: string): number {
  const number = Number(value);
  if (Number.isInteger(number) && number > 0) return number;
  throw new UsageError(`${option} must be made of whole numbers from 1 up, got ${value}`);
}

function positive(option: string, value: string): number {
  const number = Number(value);
  if (Number.isFinite(number) && number > 0) return number;
  throw new UsageError(`${option} must be a number above 0, got ${value}`);
}
