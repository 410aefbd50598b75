/**
 * What a run drew with one storage of the weights, small enough for the repository: for some of its steps the tokens that
 * were known and the codes that were drawn for the others. Other weights can then be held against these draws without
 * the weights that made them.
 */
import type { GenerationOptions } from '../../src/config/generation';
import type { Extent3 } from '../../src/config/model';
import type { Draws, Filter } from '../../src/sampling/filtering';
import { CounterNoise } from '../../src/sampling/random';
import type { PredictionRequest } from '../../src/sampling/steps';

export interface Recording {
  readonly model: string;
  /** SHA-256 of the manifest of the weights that drew. */
  readonly weights: string;
  readonly options: GenerationOptions;
  readonly grid: Extent3;
  readonly steps: readonly RecordedStep[];
}

export interface RecordedStep {
  readonly step: number;
  readonly filter: Filter;
  /** Base64 of a bit a position, the lowest first: 1 where the token was known. */
  readonly known: string;
  /** Base64 of a uint16 a position, little-endian: the known token, or the code that was drawn. */
  readonly codes: string;
}

export function recordStep(
  { step, filter, tokens, context, target }: PredictionRequest,
  draws: Draws,
): RecordedStep {
  const known = new Uint8Array(Math.ceil(tokens.length / 8));
  const codes = Uint16Array.from(tokens);
  for (const position of context) known[position >> 3] = (known[position >> 3] ?? 0) | (1 << (position & 7));
  for (const [i, position] of target.entries()) codes[position] = draws.samples[i] ?? 0;
  return { step, filter, known: base64(known), codes: base64(codes) };
}

/** The request as it was but for the order of its positions, which draws do not depend on; and what was drawn. */
export function replay(
  { step, filter, known, codes }: RecordedStep,
  { options }: Pick<Recording, 'options'>,
): { readonly request: PredictionRequest; readonly drawn: Int32Array } {
  const bits = Buffer.from(known, 'base64');
  const bytes = Buffer.from(codes, 'base64');
  const tokens = Int32Array.from({ length: bytes.length / 2 }, (_, i) => bytes.readUInt16LE(2 * i));
  const positions = Int32Array.from(tokens.keys());
  const isKnown = (position: number): boolean => (((bits[position >> 3] ?? 0) >> (position & 7)) & 1) === 1;
  const target = positions.filter((position) => !isKnown(position));
  const request: PredictionRequest = {
    batch: 1,
    tokens: tokens.map((code, position) => (isKnown(position) ? code : 0)),
    context: positions.filter(isKnown),
    target,
    filter,
    noise: new CounterNoise(options.seed),
    step,
  };
  return { request, drawn: target.map((position) => tokens[position] ?? 0) };
}

function base64({ buffer, byteOffset, byteLength }: Uint8Array | Uint16Array): string {
  return Buffer.from(buffer, byteOffset, byteLength).toString('base64');
}
