/**
 * What the next clip is to be of, trait by trait, for models that can be told. What is left open shows what was drawn for
 * the newest clip.
 */
import { useId } from 'react';
import { readScene, sceneText, type Trait } from '../config/scene';
import { sceneWords } from '../store/words';
import { useActions, usePageState } from './context';

const NO_TRAITS: readonly Trait[] = [];

export function Scene() {
  const { change } = useActions();
  const traits = usePageState((state) => state.facts.traits ?? NO_TRAITS);
  const text = usePageState((state) => state.settings.scene);
  if (traits.length === 0) return null;
  const { chosen } = readScene(traits, text);
  return (
    <details>
      <summary>
        Scene <span className="chosen">{text === '' ? 'any' : sceneWords(chosen)}</span>
      </summary>
      <div className="traits">
        {traits
          .filter(({ offered }) => offered !== false)
          .map((trait) => (
            <TraitChoice
              key={trait.name}
              trait={trait}
              value={chosen[trait.name] ?? ''}
              choose={(value) => {
                const { [trait.name]: _, ...others } = chosen;
                change(
                  'scene',
                  sceneText(traits, value === '' ? others : { ...others, [trait.name]: value }),
                );
              }}
            />
          ))}
        <button type="button" aria-disabled={text === ''} onClick={() => text !== '' && change('scene', '')}>
          Leave all open
        </button>
      </div>
    </details>
  );
}

interface TraitChoiceProps {
  readonly trait: Trait;
  /** Empty where it is left open. */
  readonly value: string;
  readonly choose: (value: string) => void;
}

function TraitChoice({ trait: { name, values }, value, choose }: TraitChoiceProps) {
  const id = useId();
  const drawn = usePageState((state) => state.scene?.[name]);
  return (
    <div className="trait">
      <label htmlFor={id}>{name}</label>
      <select id={id} value={value} onChange={({ currentTarget }) => choose(currentTarget.value)}>
        <option value="">{drawn === undefined || value !== '' ? 'any' : `any · ${drawn}`}</option>
        {values.map((known) => (
          <option key={known} value={known}>
            {known}
          </option>
        ))}
      </select>
    </div>
  );
}
