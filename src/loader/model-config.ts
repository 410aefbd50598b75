/**
 * Validation of the model configuration that a manifest carries: kinds, limits, and that its parts fit together.
 * Whether the tensors have the shapes that it asks for is checked where they are read.
 */
import {
  BLOCK_MODES,
  type BlockMode,
  downsampleOf,
  type Extent3,
  type ModelConfig,
  type StageConfig,
  type TokenizerConfig,
  type TransformerConfig,
} from '../config/model';
import { TRAIT_WORD, type Trait } from '../config/scene';

/** Says at which field a rule is broken; the caller adds the file and what to do. */
export class FieldError extends Error {
  override readonly name = 'FieldError';
}

export type Fields = Readonly<Record<string, unknown>>;

export function asObject(value: unknown, at: string): Fields {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new FieldError(`${at} must be an object, got ${show(value)}`);
  }
  return value as Fields;
}

export function asArray(value: unknown, at: string): readonly unknown[] {
  if (!Array.isArray(value)) throw new FieldError(`${at} must be an array, got ${show(value)}`);
  return value;
}

export function asString(value: unknown, at: string): string {
  if (typeof value !== 'string' || value === '') {
    throw new FieldError(`${at} must be a non-empty string, got ${show(value)}`);
  }
  return value;
}

/** A whole number within limits. */
export function asCount(value: unknown, at: string, least = 1, most = 2 ** 40): number {
  if (typeof value !== 'number' || !Number.isInteger(value) || value < least || value > most) {
    throw new FieldError(`${at} must be a whole number from ${least} to ${most}, got ${show(value)}`);
  }
  return value;
}

/** A value of a JSON document, for messages. */
export function show(value: unknown): string {
  const text = JSON.stringify(value) ?? 'nothing';
  return text.length > 60 ? `${text.slice(0, 60)}…` : text;
}

/** Extents of a video or a stage; larger ones mean a broken file, not a model. */
const MOST_EXTENT = 4096;

function parseExtent(value: unknown, at: string): Extent3 {
  const axes = asArray(value, at);
  if (axes.length !== 3)
    throw new FieldError(`${at} must have 3 axes (time, height, width), got ${axes.length}`);
  const axis = (i: number) => asCount(axes[i], `${at}[${i}]`, 1, MOST_EXTENT);
  return [axis(0), axis(1), axis(2)];
}

function parseModes(value: unknown, at: string): readonly BlockMode[] {
  const modes = asArray(value, at).map((mode, i) => {
    const known = BLOCK_MODES.find((name) => name === mode);
    if (!known)
      throw new FieldError(`${at}[${i}] must be one of ${BLOCK_MODES.join(', ')}, got ${show(mode)}`);
    return known;
  });
  if (modes.length === 0) throw new FieldError(`${at} must not be empty`);
  return modes;
}

/** A page of traits, each a line of choices; more mean a broken file. */
const MOST_TRAITS = 32;
const MOST_VALUES = 64;

function parseTraits(value: unknown, at: string): readonly Trait[] {
  const traits: Trait[] = [];
  for (const [i, entry] of asArray(value, at).entries()) {
    traits.push(parseTrait(entry, `${at}[${i}]`, traits[0]?.values.length ?? 1));
  }
  distinct(
    traits.map(({ name }) => name),
    `${at} (names)`,
    0,
    MOST_TRAITS,
  );
  return traits;
}

/** @param rows of its shares */
function parseTrait(value: unknown, at: string, rows: number): Trait {
  const fields = asObject(value, at);
  const values = distinct(asArray(fields.values, `${at}.values`), `${at}.values`, 2, MOST_VALUES);
  const shares = asArray(fields.shares, `${at}.shares`).map((row, i) =>
    parseShares(row, `${at}.shares[${i}]`, values.length),
  );
  if (shares.length !== rows) {
    throw new FieldError(
      `${at}.shares must have ${rows} rows (1 for the first trait, one a value of the first for the others), got ${shares.length}`,
    );
  }
  const name = asTraitWord(fields.name, `${at}.name`);
  return { name, values, shares, ...parseFlag(fields, 'offered', at), ...parseFlag(fields, 'course', at) };
}

/** The field where it is there. */
function parseFlag<Name extends string>(
  fields: Fields,
  name: Name,
  at: string,
): { readonly [key in Name]?: boolean } {
  const value = fields[name];
  if (value === undefined) return {};
  if (typeof value !== 'boolean') {
    throw new FieldError(`${at}.${name} must be true or false, got ${show(value)}`);
  }
  return { [name]: value } as { readonly [key in Name]?: boolean };
}

function parseShares(value: unknown, at: string, count: number): readonly number[] {
  const shares = asArray(value, at).map((share) => {
    if (typeof share === 'number' && Number.isFinite(share) && share >= 0) return share;
    throw new FieldError(`${at} must be numbers not below 0, got ${show(share)}`);
  });
  if (shares.length !== count || !shares.some((share) => share > 0)) {
    throw new FieldError(`${at} must be ${count} numbers, one above 0 at least, got ${show(value)}`);
  }
  return shares;
}

function asTraitWord(value: unknown, at: string): string {
  const word = asString(value, at);
  if (TRAIT_WORD.test(word)) return word;
  throw new FieldError(`${at} must be a word of 1 to 24 small letters, got ${show(word)}`);
}

/** Words of traits, none twice. */
function distinct(words: readonly unknown[], at: string, least: number, most: number): readonly string[] {
  const found = words.map((word, i) => asTraitWord(word, `${at}[${i}]`));
  if (found.length < least || found.length > most || new Set(found).size !== found.length) {
    throw new FieldError(`${at} must be ${least} to ${most} words, none of them twice, got ${show(words)}`);
  }
  return found;
}

function parseTransformer(value: unknown, at: string): TransformerConfig {
  const fields = asObject(value, at);
  const count = (name: string, least = 1) => asCount(fields[name], `${at}.${name}`, least, 2 ** 24);
  const traits = fields.traits === undefined ? [] : parseTraits(fields.traits, `${at}.traits`);
  const config: TransformerConfig = {
    width: count('width'),
    heads: count('heads'),
    latentTokens: count('latentTokens', 0),
    vocabulary: count('vocabulary'),
    positions: count('positions'),
    modes: parseModes(fields.modes, `${at}.modes`),
    ...(traits.length > 0 ? { traits } : {}),
  };
  if (config.width % config.heads !== 0) {
    throw new FieldError(`${at}.width (${config.width}) must be a multiple of heads (${config.heads})`);
  }
  return config;
}

function parseStages(value: unknown, at: string): readonly StageConfig[] {
  return asArray(value, at).map((stage, i) => {
    const here = `${at}[${i}]`;
    const fields = asObject(stage, here);
    return {
      channels: asCount(fields.channels, `${here}.channels`, 1, 2 ** 16),
      stride: parseExtent(fields.stride, `${here}.stride`),
      residualBlocks: asCount(fields.residualBlocks, `${here}.residualBlocks`, 0, 64),
    };
  });
}

function parseTokenizer(value: unknown, at: string): TokenizerConfig {
  const fields = asObject(value, at);
  const norm = fields.norm;
  if (norm !== 'none' && norm !== 'affine' && norm !== 'group') {
    throw new FieldError(`${at}.norm must be none, affine or group, got ${show(norm)}`);
  }
  const encoder = fields.encoder;
  return {
    codes: asCount(fields.codes, `${at}.codes`, 1, 2 ** 24),
    codeWidth: asCount(fields.codeWidth, `${at}.codeWidth`, 1, 2 ** 16),
    norm,
    decoder: parseStages(fields.decoder, `${at}.decoder`),
    ...(encoder === undefined || encoder === null ? {} : { encoder: parseStages(encoder, `${at}.encoder`) }),
  };
}

function parseSampling(value: unknown, at: string): Readonly<Record<string, number | string>> {
  const entries = Object.entries(asObject(value ?? {}, at)).map(
    ([name, setting]): [string, number | string] => {
      if (typeof setting === 'string' || (typeof setting === 'number' && Number.isFinite(setting))) {
        return [name, setting];
      }
      throw new FieldError(`${at}.${name} must be a number or a string, got ${show(setting)}`);
    },
  );
  return Object.fromEntries(entries);
}

/** @throws FieldError naming the field, the rule and the value got. */
export function parseModelConfig(value: unknown, at = 'model'): ModelConfig {
  const fields = asObject(value, at);
  const frameRate = fields.frameRate;
  if (typeof frameRate !== 'number' || !(frameRate > 0 && frameRate <= 240)) {
    throw new FieldError(
      `${at}.frameRate must be above 0 and at most 240 frames per second, got ${show(frameRate)}`,
    );
  }
  const config: ModelConfig = {
    transformer: parseTransformer(fields.transformer, `${at}.transformer`),
    tokenizer: parseTokenizer(fields.tokenizer, `${at}.tokenizer`),
    grid: parseExtent(fields.grid, `${at}.grid`),
    frameRate,
    sampling: parseSampling(fields.sampling, `${at}.sampling`),
  };
  const { transformer, tokenizer, grid } = config;
  const tokens = grid[0] * grid[1] * grid[2];
  if (tokens > transformer.positions) {
    throw new FieldError(
      `${at}.grid has ${tokens} tokens, more than the ${transformer.positions} positions of the transformer`,
    );
  }
  if (transformer.vocabulary > tokenizer.codes) {
    throw new FieldError(
      `${at}.transformer.vocabulary (${transformer.vocabulary}) must not exceed the tokenizer's ${tokenizer.codes} codes`,
    );
  }
  const pixels = downsampleOf(tokenizer).map((factor, i) => factor * (grid[i] ?? 1));
  if (pixels.some((extent) => extent > MOST_EXTENT)) {
    throw new FieldError(`${at} makes clips of ${pixels.join('×')}, more than ${MOST_EXTENT} along an axis`);
  }
  return config;
}
