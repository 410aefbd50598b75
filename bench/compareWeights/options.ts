/** The command line of `npm run compare-weights`. */
import { resolve } from 'node:path';
import { readCommandLine, UsageError } from '../../scripts/commandLine';
import { readSettings, SETTINGS_FLAGS, SETTINGS_HELP } from '../../scripts/generationFlags';
import type { GenerationOptions } from '../../src/config/generation';

export const HELP = `npm run compare-weights -- REFERENCE MODEL… [options]

Follows a generation of the model in the folder REFERENCE with the same model stored otherwise (int8, int4, …), on wasm:
at every step each gets the reference's state and noise. Prints the share of tokens drawn alike, how far the logits
are off, and the bytes on a WebGPU device. weights/recipe/README.md says how to export a model in several storages.

  --seed N            of the noise (default 1)
  --only REGEX        take only the tensors with such names from MODEL, the rest from REFERENCE; again for another such
                      mixture. What int8 and int4 exports turn belongs together: value|projection
  --free              let each run on its own states, too, and compare the finished tokens
  --json FILE         all of it as JSON
  --record FILE       what the reference drew at every third step, for the test beside this
  --help              print this

${SETTINGS_HELP}`;

export interface CommandLine {
  /** Folders; the first is the reference. */
  readonly models: readonly string[];
  readonly settings: Partial<GenerationOptions>;
  /** Which tensors come from a model; all where there is none. */
  readonly only: readonly RegExp[];
  readonly free: boolean;
  readonly json?: string;
  readonly record?: string;
}

const text = { type: 'string' } as const;
const flag = { type: 'boolean', default: false } as const;

/** @throws UsageError */
export function parseCommandLine(args: readonly string[]): CommandLine | 'help' {
  const { values, positionals } = readCommandLine({
    args: [...args],
    allowPositionals: true,
    options: {
      ...SETTINGS_FLAGS,
      json: text,
      record: text,
      only: { type: 'string', multiple: true, default: [] },
      free: flag,
      help: flag,
    },
  });
  if (values.help) return 'help';
  if (positionals.length < 2)
    throw new UsageError('two folders or more are compared: the reference, then the others');
  return {
    models: positionals.map((path) => resolve(path)),
    settings: { seed: 1, ...readSettings(values) },
    only: values.only.map(expression),
    free: values.free,
    ...(values.json === undefined ? {} : { json: values.json }),
    ...(values.record === undefined ? {} : { record: values.record }),
  };
}

function expression(text: string): RegExp {
  try {
    return new RegExp(text);
  } catch (error) {
    throw new UsageError(`--only must be a regular expression, got ${text}`, { cause: error });
  }
}
