/**
 * What a clip is of, in words that the model is told before it begins: the hour, the clouds, the wind. Which traits there
 * are, and their values, is the model's; a scene says a value for each of them, a choice for some.
 *
 * As text (address, command line) a choice is `hour-night.water-yes`, in the order of the model's traits, so that the same
 * choice is the same text; nothing chosen is the empty text.
 */

export interface Trait {
  /** Small letters, as all names and values here. */
  readonly name: string;
  readonly values: readonly string[];
  /**
   * How often each value is met, one row for each value of the model's first trait; the first trait has one row. Weights,
   * not below 0.
   */
  readonly shares: readonly (readonly number[])[];
  /** False where the model follows it too little for people to choose it: it is drawn and told all the same. */
  readonly offered?: boolean;
  /** True where it says how a clip begins and how it ends: it is told as two tokens, in its first and last frames. */
  readonly course?: boolean;
}

/** Values by the traits' names. */
export type Scene = Readonly<Record<string, string>>;

/** Names and values of traits. */
export const TRAIT_WORD = /^[a-z]{1,24}$/;

/** The part of a scene that people can choose, which is what they are shown. */
export function offeredOf(traits: readonly Trait[], scene: Scene): Scene {
  return without(
    scene,
    traits.filter(({ offered }) => offered === false),
  );
}

/** The text of a choice. Traits that the model has not are left out. */
export function sceneText(traits: readonly Trait[], chosen: Scene): string {
  const named = traits.filter(({ name }) => chosen[name] !== undefined);
  return named.map(({ name }) => `${name}-${chosen[name]}`).join('.');
}

export interface ReadScene {
  readonly chosen: Scene;
  /** What could not be read, and is left open: sentences without their ends. */
  readonly problems: readonly string[];
}

/** Reads the text of a choice. Never throws. */
export function readScene(traits: readonly Trait[], text: string): ReadScene {
  const chosen: Record<string, string> = {};
  const problems: string[] = [];
  for (const word of text.split('.').filter((part) => part !== '')) {
    const [name = '', ...rest] = word.split('-');
    const value = rest.join('-');
    const trait = traits.find((known) => known.name === name);
    if (trait?.values.includes(value)) chosen[name] = value;
    else if (trait)
      problems.push(`Scene: ${name} “${shorten(value)}” is not known (there are ${trait.values.join(', ')})`);
    else problems.push(unknownTrait(traits, name));
  }
  return { chosen, problems };
}

function unknownTrait(traits: readonly Trait[], name: string): string {
  const names = traits.map((trait) => trait.name);
  return names.length === 0
    ? `Scene: “${shorten(name)}” is not known (this model cannot be told what a clip is to be of)`
    : `Scene: “${shorten(name)}” is not known (there are ${names.join(', ')})`;
}

/** The part of a scene that holds for as long as a clip goes on: all but courses. */
export function lastingOf(traits: readonly Trait[], scene: Scene): Scene {
  return without(
    scene,
    traits.filter(({ course }) => course),
  );
}

function without(scene: Scene, traits: readonly Trait[]): Scene {
  const names = new Set(traits.map(({ name }) => name));
  return Object.fromEntries(Object.entries(scene).filter(([name]) => !names.has(name)));
}

/** What the model is told in one token. */
export interface ToldToken {
  /** Of the trait table: one row for each value of each trait, in their order; a course's values twice, first ones ahead. */
  readonly row: number;
  /** The latent frame that it stands in, or none. */
  readonly frame: 'first' | 'last' | undefined;
}

/** The places of the tokens that one value of a trait is told as. */
const placesOf = ({ course }: Trait): readonly ToldToken['frame'][] =>
  course ? ['first', 'last'] : [undefined];

/**
 * The tokens that `scene` is told as; none for what it leaves open.
 * @throws RangeError where a trait has a value that it does not know
 */
export function sceneTokens(traits: readonly Trait[], scene: Scene): ToldToken[] {
  let before = 0;
  return traits.flatMap((trait): ToldToken[] => {
    const { name, values } = trait;
    const value = scene[name];
    const row = before + values.indexOf(value ?? '');
    before += traitRows([trait]);
    if (value === undefined) return [];
    if (!values.includes(value)) {
      throw new RangeError(`Scene: ${name} must be one of ${values.join(', ')}, got ${value}.`);
    }
    return placesOf(trait).map((frame, place) => ({ row: row + place * values.length, frame }));
  });
}

/** Tokens that a scene is told as, with those of what it leaves open. */
export function toldTokens(traits: readonly Trait[]): number {
  return traits.reduce((sum, trait) => sum + placesOf(trait).length, 0);
}

/** Rows of the trait table. */
export function traitRows(traits: readonly Trait[]): number {
  return traits.reduce((sum, trait) => sum + trait.values.length * placesOf(trait).length, 0);
}

/** A value pasted into a sentence must not be a page long. */
export function shorten(text: string): string {
  return text.length > 24 ? `${text.slice(0, 23)}…` : text;
}
