/**
 * What cannot be read off weights: answers given by a person come first, then the VQGAN's settings, then the
 * transformer's. What none of them says is asked for, exactly.
 */
import { BLOCK_MODES, type BlockMode, type Extent3 } from '../../config/model';
import type { SamplingRecipe } from '../../config/officialSampling';
import type { OpenedCheckpoint } from '../checkpoint/open';
import type { Settings } from '../checkpoint/settings';
import { CheckpointError } from '../checkpoint/source';
import type { StateDict } from '../checkpoint/stateDict';

export interface Answers {
  /** Frames, rows, columns that one token stands for. */
  readonly downsample?: Extent3;
  /** T'×H'×W' of the longest clip. */
  readonly grid?: Extent3;
  readonly heads?: number;
  /** One mode a block. */
  readonly modes?: readonly BlockMode[];
  /** Frames per second of a finished clip; 16 when left out. */
  readonly frameRate?: number;
  /** A recipe in place of what the files ask for; `general`: none. */
  readonly sampling?: SamplingRecipe | 'general';
}

export interface Need {
  readonly what: 'transformer' | 'tokenizer' | 'downsample' | 'grid' | 'heads' | 'modes';
  /** A sentence for the person who is asked. */
  readonly why: string;
  /** The official models' value, where the shapes allow it. To be confirmed, not taken. */
  readonly suggestion?: Extent3 | number | readonly BlockMode[];
}

/** A value of the configuration and its origin. */
export interface Fact {
  readonly what: string;
  readonly value: string;
  readonly from: string;
}

/** A part of a model, and the file that it is in. */
export interface Part {
  readonly opened: OpenedCheckpoint;
  readonly state: StateDict;
}

export interface Roles {
  readonly transformer?: Part;
  /** The one that the transformer was trained on, where its file holds it. */
  readonly tokenizer?: Part;
  /** All files, in the order given. */
  readonly opened: readonly OpenedCheckpoint[];
}

const ASKED = ['downsample', 'grid', 'heads', 'modes'] as const;

/** @throws CheckpointError where two files contradict each other */
export function mergeSettings(
  { opened, transformer }: Roles,
  answers: Answers,
): { settings: Settings; facts: Fact[] } {
  const facts: Fact[] = [];
  const settings: { -readonly [K in keyof Settings]: Settings[K] } = {};
  // A VQGAN's own settings before those of the transformer that was trained on it.
  const files = [...opened].sort(
    (a, b) => Number(a === transformer?.opened) - Number(b === transformer?.opened),
  );
  for (const what of ASKED) {
    const [file, other] = files.filter((candidate) => candidate.settings[what] !== undefined);
    const value = answers[what] ?? file?.settings[what];
    if (value === undefined) continue;
    if (!answers[what] && file && other && String(other.settings[what]) !== String(value)) {
      throw new CheckpointError(
        `its settings give ${what} as ${other.settings[what]}, but ${file.file} gives ${value}; the two do not belong together`,
        other.file,
      );
    }
    Object.assign(settings, { [what]: value });
    const field = what === 'downsample' ? file?.settings.downsampleFrom : FIELDS[what];
    const from = answers[what] ? 'asked for' : `${file?.file}: ${field}`;
    facts.push({
      what,
      value: what === 'modes' ? `${(value as readonly string[]).length} blocks` : String(value),
      from,
    });
  }
  const { dataPath } = transformer?.opened.settings ?? {};
  if (dataPath) settings.dataPath = dataPath;
  return { settings, facts };
}

const FIELDS = {
  grid: 'mask_config.params.shape',
  heads: 'transformer_config.n_head',
  modes: 'transformer_config.mode',
} as const;

/** Everything that is missing, at once. */
export function needsOf({ transformer, tokenizer }: Roles, settings: Settings): Need[] {
  const needs: Need[] = [];
  if (!transformer) {
    const why = 'The files hold a VQGAN only; the transformer (Net2NetTransformer) makes the tokens.';
    needs.push({ what: 'transformer', why });
  }
  if (!tokenizer) {
    const why =
      'The transformer was saved without its first_stage_model; give the VQGAN that it was trained on.';
    needs.push({ what: 'tokenizer', why });
  }
  if (tokenizer && !settings.downsample) {
    const why =
      'Strides cannot be read off weights: give the VQGAN file, or the frames, rows and columns of one token.';
    const edge = 2 ** Math.min(6, tokenizer.state.count('decoder.conv_blocks'));
    needs.push({ what: 'downsample', why, suggestion: [Math.min(4, edge), edge, edge] });
  }
  if (transformer) needs.push(...transformerNeeds(transformer.state, settings));
  return needs;
}

function transformerNeeds(state: StateDict, { grid, heads, modes }: Settings): Need[] {
  const needs: Need[] = [];
  if (!grid) {
    const positions = state.tensors.get('pos_emb')?.shape[1] ?? 0;
    const why = `The weights have ${positions} positions, but not how they divide into time, height and width.`;
    const plane = 16 * 16; // the official models' tokens of a latent frame
    const suggestion: Extent3 = [positions / plane, 16, 16];
    needs.push({
      what: 'grid',
      why,
      ...(Number.isInteger(suggestion[0]) && positions > 0 ? { suggestion } : {}),
    });
  }
  if (!heads) {
    const width = state.tensors.get('transformer.head.weight')?.shape[1] ?? 0;
    const why = `A width of ${width} can be split into heads in several ways.`;
    needs.push({ what: 'heads', why, ...(width % 64 === 0 && width > 0 ? { suggestion: width / 64 } : {}) });
  }
  if (!modes) {
    const blocks = state.count('transformer.blocks');
    const why = `Each of the ${blocks} blocks is one of ${BLOCK_MODES.join(', ')}; their weights look alike.`;
    const suggestion = officialModes(blocks);
    needs.push({ what: 'modes', why, ...(suggestion ? { suggestion } : {}) });
  }
  return needs;
}

/** (enc, self)×a, enc, (dec, lt2l)×b, dec: a = 6 and b = 5 in the official models of 24 blocks. */
function officialModes(blocks: number): readonly BlockMode[] | undefined {
  if (blocks < 4 || blocks % 2 === 1) return undefined;
  const decode = Math.floor((blocks - 2) / 4);
  const encode = (blocks - 2) / 2 - decode;
  const repeat = (pair: readonly BlockMode[], times: number) =>
    Array.from({ length: times }, () => pair).flat();
  return [
    ...repeat(['latent_enc', 'latent_self'], encode),
    'latent_enc',
    ...repeat(['latent_dec', 'lt2l'], decode),
    'latent_dec',
  ];
}
