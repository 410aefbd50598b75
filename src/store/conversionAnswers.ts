/**
 * What the files of a checkpoint do not say, asked in plain words: the fields of a form, and their text as answers.
 * Pure functions.
 */
import { BLOCK_MODES, type BlockMode, type Extent3 } from '../config/model';
import { SAMPLING_RECIPES } from '../config/officialSampling';
import type { ConversionAnswers, ConversionNeed, ConversionWish, Quantization } from '../worker/protocol';

/** One field of the form. */
export interface Question {
  readonly what: keyof ConversionAnswers & ('downsample' | 'grid' | 'heads' | 'modes');
  readonly label: string;
  readonly hint: string;
  /** What the official models have, as it is typed; empty where nothing is known. */
  readonly suggestion: string;
}

const LABELS: Readonly<Record<Question['what'], readonly [label: string, form: string]>> = {
  downsample: ['Pixels of a token', 'Frames, rows, columns, such as 4, 8, 8.'],
  grid: ['Token grid', 'Tokens of the longest clip along time, height and width, such as 4, 16, 16.'],
  heads: ['Attention heads', 'A whole number, such as 16.'],
  modes: ['Blocks', `One of ${BLOCK_MODES.join(', ')} for each block, in order.`],
};

/** The needs that a form can ask for. */
export function questionsOf(needs: readonly ConversionNeed[]): Question[] {
  return needs.flatMap(({ what, why, suggestion }) => {
    if (what === 'transformer' || what === 'tokenizer') return [];
    const [label, form] = LABELS[what];
    return [
      { what, label, hint: `${why} ${form}`, suggestion: suggestion === undefined ? '' : show(suggestion) },
    ];
  });
}

/** Sentences about files that are missing, which no form can ask for. */
export function missingFiles(needs: readonly ConversionNeed[]): string[] {
  return needs.filter(({ what }) => what === 'transformer' || what === 'tokenizer').map(({ why }) => why);
}

const show = (value: Extent3 | number | readonly string[]): string =>
  typeof value === 'number' ? String(value) : value.join(', ');

export type ReadAnswers =
  | { readonly kind: 'read'; readonly answers: ConversionAnswers }
  | { readonly kind: 'problem'; readonly what: Question['what']; readonly message: string };

/** @param given what was typed, by question */
export function readAnswers(given: Readonly<Partial<Record<Question['what'], string>>>): ReadAnswers {
  let answers: ConversionAnswers = {};
  for (const what of Object.keys(LABELS) as Question['what'][]) {
    const text = given[what];
    if (text === undefined) continue;
    const [label, form] = LABELS[what];
    const value = READERS[what](text.split(/[\s,×x]+/).filter(Boolean));
    if (value === null)
      return { kind: 'problem', what, message: `${label} “${text}” cannot be used. ${form}` };
    answers = { ...answers, [what]: value };
  }
  return { kind: 'read', answers };
}

const READERS = {
  downsample: extent,
  grid: extent,
  heads: ([text, ...rest]: string[]) => (rest.length === 0 ? whole(text) : null),
  modes: (words: string[]): BlockMode[] | null => {
    const modes = words.flatMap((word) => BLOCK_MODES.find((mode) => mode === word) ?? []);
    return modes.length === words.length && words.length > 0 ? modes : null;
  },
};

function extent(parts: string[]): Extent3 | null {
  const [t, h, w] = parts.map(whole);
  return parts.length === 3 && t && h && w ? [t, h, w] : null;
}

function whole(text: string | undefined): number | null {
  const value = Number(text);
  return text !== undefined && Number.isInteger(value) && value > 0 ? value : null;
}

/** How a model is to be kept, as typed and chosen. */
export interface KeepFields {
  readonly name: string;
  /** Empty: not stated. */
  readonly license: string;
  /** A recipe of `SAMPLING_RECIPES`, or `general`. */
  readonly sampling: string;
  readonly frameRate: string;
}

/** The wish that these fields come to. A rate that is none is left to the default. */
export function wishOf(
  { name, license, sampling, frameRate }: KeepFields,
  quantization: Quantization,
  answers: ConversionAnswers,
): ConversionWish {
  const rate = Number(frameRate);
  const recipe = SAMPLING_RECIPES.find((known) => known === sampling) ?? 'general';
  const line = (text: string): string => text.trim().replace(/\s+/g, ' ');
  return {
    quantization,
    answers: { ...answers, sampling: recipe, ...(rate > 0 && rate <= 240 ? { frameRate: rate } : {}) },
    ...(line(name) ? { name: line(name) } : {}),
    ...(line(license) ? { license: line(license) } : {}),
  };
}
