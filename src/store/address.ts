/**
 * The page's address: what a link may ask for, and the link that recalls the present settings. Text in, text out;
 * touches neither `location` nor `history`.
 */

import { type GenerationOptions, type ModelFacts, toSearchParams } from '../config/generation';
import { keptHash } from '../config/keptModel';
import type { BackendName, ClipFormat } from '../worker/protocol';

const BACKENDS: readonly BackendName[] = ['webgpu', 'wasm', 'cpu'];
export const FORMATS: readonly ClipFormat[] = ['mp4', 'webm', 'gif'];

/** What a link asks for. `problems`: sentences about what could not be used. */
export interface Address {
  /** The address of a manifest, or `opfs:` and the hash of a model of this machine; null lets the page choose. */
  readonly source: string | null;
  readonly backend?: BackendName;
  /** Of wasm. */
  readonly threads?: number;
  /** `float16=off` keeps WebGPU to float32. */
  readonly float16: boolean;
  readonly format?: ClipFormat;
  /** `start=no` keeps the first clip from starting by itself. */
  readonly autostart: boolean;
  /** Every parameter; `parseGenerationOptions` picks its own. */
  readonly given: Readonly<Record<string, string>>;
  readonly problems: readonly string[];
}

/** @param search `location.search` */
export function readAddress(search: string): Address {
  const params = new URLSearchParams(search);
  const problems: string[] = [];
  const choice = <T extends string>(name: string, known: readonly T[], instead: string): T | undefined => {
    const text = params.get(name);
    if (text === null) return undefined;
    const value = known.find((item) => item === text);
    if (!value)
      problems.push(
        `“${name}=${shorten(text)}” in the address is not one of ${known.join(', ')}; ${instead}.`,
      );
    return value;
  };
  const backend = choice('backend', BACKENDS, 'the page chooses by itself');
  const format = choice('format', FORMATS, 'the best one that this browser writes is used');
  const start = choice('start', ['yes', 'no'] as const, 'the first clip starts by itself');
  const float16 = choice('float16', ['on', 'off'] as const, 'it is used where the graphics card has it');
  const threads = readThreads(params.get('threads'), problems);
  const model = params.get('model');
  const usable = model === null || isManifestUrl(model);
  if (!usable) {
    problems.push(
      `“model=${shorten(model ?? '')}” in the address is not the http(s) address of a manifest.json, a folder of weights/, or a model of this machine; the page's own model is used.`,
    );
  }
  return {
    source: usable && model !== null ? manifestUrlOf(model) : null,
    ...(backend ? { backend } : {}),
    ...(threads === undefined ? {} : { threads }),
    float16: float16 !== 'off',
    ...(format ? { format } : {}),
    autostart: start !== 'no',
    given: Object.fromEntries(params),
    problems,
  };
}

/**
 * The query that recalls this clip. Model, length and steps are always written, because their defaults differ from
 * device to device; parameters that are no option (backend, start) stay as they are in `search`.
 * @param source of the model that the options are for
 */
export function writeAddress(
  search: string,
  source: string,
  options: GenerationOptions,
  facts: ModelFacts,
  format: ClipFormat | null,
): string {
  const params = new URLSearchParams(search);
  params.set('model', nameOf(source));
  for (const key of Object.keys(options)) params.delete(key);
  for (const [key, value] of toSearchParams(options, facts)) params.set(key, value);
  params.set('frames', String(options.frames));
  params.set('steps', String(options.steps));
  params.delete('format');
  if (format) params.set('format', format);
  return `?${params}`;
}

/**
 * The query that loads another model: what suits the present one is left out, and the seed stays.
 * @param source what `?model=` takes; null lets the page choose
 */
export function writeModel(search: string, source: string | null, options: GenerationOptions): string {
  const params = new URLSearchParams(search);
  for (const key of Object.keys(options)) if (key !== 'seed') params.delete(key);
  if (source === null) params.delete('model');
  else params.set('model', nameOf(source));
  return `?${params}`;
}

/** A bare name is a folder beside the page's own models. */
function manifestUrlOf(model: string): string {
  return /^[\w-][\w.-]*$/.test(model) && !model.endsWith('.json') ? `weights/${model}/manifest.json` : model;
}

/** The bare name, where there is one. */
function nameOf(source: string): string {
  return /^weights\/([\w-][\w.-]*)\/manifest\.json$/.exec(source)?.[1] ?? source;
}

const MOST_THREADS = 64;

function readThreads(text: string | null, problems: string[]): number | undefined {
  if (text === null) return undefined;
  const threads = Number(text);
  if (Number.isInteger(threads) && threads >= 1 && threads <= MOST_THREADS) return threads;
  problems.push(
    `“threads=${shorten(text)}” in the address is not a whole number from 1 to ${MOST_THREADS}; the page chooses by itself.`,
  );
  return undefined;
}

/** Relative addresses count: they are resolved against the page. */
function isManifestUrl(text: string): boolean {
  const hash = keptHash(text);
  if (hash !== null) return /^[0-9a-f]{64}$/.test(hash);
  if (text.trim() === '') return false;
  try {
    return ['http:', 'https:'].includes(new URL(text, 'https://page.invalid/').protocol);
  } catch {
    return false;
  }
}

function shorten(text: string): string {
  return text.length > 40 ? `${text.slice(0, 39)}…` : text;
}
