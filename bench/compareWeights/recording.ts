/**
 * What a run drew with one storage of the weights, small enough for the repository: for some of its steps the tokens that
 * were known, the codes that were drawn for the others, and the logits of one of these. Other weights can then be held against these draws without
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
  /** The masked position whose logits are kept. */
  readonly position: number;
  /** Base64 of its logits [V], float32, little-endian. */
  readonly logits: string;
}

/** @param logits [NT, V], in the order of the targets */
export function recordStep(request: PredictionRequest, draws: Draws, logits: Float32Array): RecordedStep {
  const { step, filter, tokens, context, target } = request;
  const known = new Uint8Array(Math.ceil(tokens.length / 8));
  const codes = Uint16Array.from(tokens);
  for (const position of context) known[position >> 3] = (known[position >> 3] ?? 0) | (1 << (position & 7));
  for (const [i, position] of target.entries()) codes[position] = draws.samples[i] ?? 0;
  const [position = 0] = target;
  const row = base64(logits.slice(0, logits.length / target.length));
  return { step, filter, known: base64(known), codes: base64(codes), position, logits: row };
}

/** A recorded step as it can be asked for again. */
export interface Replay {
  /** As it was but for the order of its positions, which draws do not depend on. */
  readonly request: PredictionRequest;
  /** What was drawn for each target. */
  readonly drawn: Int32Array;
  /** The target whose logits are kept, and they [V]. */
  readonly row: number;
  readonly logits: Float32Array;
}

export function replay(recorded: RecordedStep, { options }: Pick<Recording, 'options'>): Replay {
  const { step, filter, known, codes, position } = recorded;
  const bits = Buffer.from(known, 'base64');
  const bytes = Buffer.from(codes, 'base64');
  const tokens = Int32Array.from({ length: bytes.length / 2 }, (_, i) => bytes.readUInt16LE(2 * i));
  const positions = Int32Array.from(tokens.keys());
  const isKnown = (at: number): boolean => (((bits[at >> 3] ?? 0) >> (at & 7)) & 1) === 1;
  const target = positions.filter((at) => !isKnown(at));
  const request: PredictionRequest = {
    batch: 1,
    tokens: tokens.map((code, at) => (isKnown(at) ? code : 0)),
    context: positions.filter(isKnown),
    target,
    filter,
    noise: new CounterNoise(options.seed),
    step,
  };
  const row = Buffer.from(recorded.logits, 'base64');
  return {
    request,
    drawn: target.map((at) => tokens[at] ?? 0),
    row: target.indexOf(position),
    logits: Float32Array.from({ length: row.length / 4 }, (_, i) => row.readFloatLE(4 * i)),
  };
}

function base64({ buffer, byteOffset, byteLength }: Uint8Array | Uint16Array | Float32Array): string {
  return Buffer.from(buffer, byteOffset, byteLength).toString('base64');
}
