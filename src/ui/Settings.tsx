/**
 * What the next clip is made with. Every change counts from the next Generate on and is written to the address.
 */
import { type ReactNode, useId } from 'react';
import {
  type ChoiceField,
  lengthChoices,
  limitsFor,
  type NumericField,
  ORDERS,
  SCHEDULES,
} from '../config/generation';
import { presetOf } from '../config/officialSampling';
import { useActions, usePageState } from './context';
import { Scene } from './Scene';

export function Settings() {
  return (
    <div className="settings">
      <Slider field="steps" />
      <Length />
      <TooLong />
      <Seed />
      <Scene />
      <details>
        <summary>Advanced</summary>
        <div className="rows">
          <PresetChoice />
          <Slider field="temperature" show={(value) => value.toFixed(2)} />
          <Slider field="guidance" show={(value) => value.toFixed(1)} />
          <Slider field="topK" show={(value) => (value === 0 ? 'all' : String(value))} />
          <Choice field="order" label="Order" names={ORDERS} />
          <ChoiceTemperature />
          <Choice field="schedule" label="Schedule" names={SCHEDULES} />
          <Slider field="revisePasses" />
        </div>
      </details>
    </div>
  );
}

interface SliderProps {
  readonly field: Exclude<NumericField, 'seed'>;
  /** The value as it is shown. */
  readonly show?: (value: number) => string;
}

function Slider({ field, show = String }: SliderProps) {
  const { change } = useActions();
  const facts = usePageState((state) => state.facts);
  const value = usePageState((state) => state.settings[field]);
  const { label, min, max, step } = limitsFor(facts)[field];
  const fill = max > min ? (value - min) / (max - min) : 0;
  return (
    <Row label={label} value={show(value)}>
      {(id) => (
        <input
          id={id}
          type="range"
          min={min}
          max={max}
          step={step}
          value={value}
          style={{ '--value': fill } as React.CSSProperties}
          onChange={(event) => change(field, event.currentTarget.value)}
        />
      )}
    </Row>
  );
}

/** A place for every length that the model makes in one piece, and one a window beyond it. */
function Length() {
  const { change } = useActions();
  const facts = usePageState((state) => state.facts);
  const rate = usePageState((state) => state.model?.frameRate ?? 16);
  const frames = usePageState((state) => state.settings.frames);
  const choices = lengthChoices(facts, frames);
  const continued = frames > facts.ownFrames ? `, continued after ${facts.ownFrames}` : '';
  const place = choices.indexOf(frames);
  return (
    <Row label={limitsFor(facts).frames.label} value={`${frames} · ${(frames / rate).toFixed(1)} s`}>
      {(id) => (
        <input
          id={id}
          type="range"
          min={0}
          max={choices.length - 1}
          step={1}
          value={place}
          aria-valuetext={`${frames} frames${continued}`}
          style={{ '--value': choices.length > 1 ? place / (choices.length - 1) : 0 } as React.CSSProperties}
          onChange={({ currentTarget }) => change('frames', String(choices[currentTarget.valueAsNumber]))}
        />
      )}
    </Row>
  );
}

/** Said before the run that would not fit; the run itself is refused with the reason. */
function TooLong() {
  const frames = usePageState((state) => state.settings.frames);
  const fitting = usePageState((state) => state.model?.memory?.frames);
  if (fitting === undefined || frames <= fitting) return null;
  return (
    <p role="status" className="too-long">
      The memory here is enough for clips of up to {fitting} frames.
    </p>
  );
}

/** The recipes that were published for a model of these sizes; absent for other models. */
function PresetChoice() {
  const { choosePreset } = useActions();
  const presets = usePageState((state) => state.model?.presets);
  const settings = usePageState((state) => state.settings);
  if (!presets || presets.length === 0) return null;
  return (
    <Row label="Preset">
      {(id) => (
        <select
          id={id}
          value={presetOf(settings, presets)?.recipe ?? ''}
          onChange={({ currentTarget }) => {
            const chosen = presets.find(({ recipe }) => recipe === currentTarget.value);
            if (chosen) choosePreset(chosen.recipe);
          }}
        >
          <option value="">Other</option>
          {presets.map(({ recipe, label }) => (
            <option key={recipe} value={recipe}>
              {label}
            </option>
          ))}
        </select>
      )}
    </Row>
  );
}

/** Tokens that come in turn are not chosen by confidence. */
function ChoiceTemperature() {
  const inTurn = usePageState((state) => state.settings.order === 'spread');
  return inTurn ? null : <Slider field="choiceTemperature" show={(value) => value.toFixed(1)} />;
}

interface ChoiceProps {
  readonly field: ChoiceField;
  readonly label: string;
  readonly names: readonly string[];
}

function Choice({ field, label, names }: ChoiceProps) {
  const { change } = useActions();
  const value = usePageState((state) => state.settings[field]);
  return (
    <Row label={label}>
      {(id) => (
        <select id={id} value={value} onChange={(event) => change(field, event.currentTarget.value)}>
          {names.map((name) => (
            <option key={name} value={name}>
              {name.replace('_', ' ')}
            </option>
          ))}
        </select>
      )}
    </Row>
  );
}

function Seed() {
  const { typeSeed, commitSeed, newSeed } = useActions();
  const text = usePageState((state) => state.seedText);
  const wrong = usePageState((state) => state.seedText.trim() !== String(state.settings.seed));
  return (
    <Row label="Seed">
      {(id) => (
        <span className="seed">
          <input
            id={id}
            type="text"
            inputMode="numeric"
            autoComplete="off"
            spellCheck={false}
            value={text}
            aria-invalid={wrong}
            onChange={(event) => typeSeed(event.currentTarget.value)}
            onBlur={commitSeed}
            onKeyDown={(event) => event.key === 'Enter' && commitSeed()}
          />
          <button type="button" onClick={newSeed}>
            New seed
          </button>
        </span>
      )}
    </Row>
  );
}

interface RowProps {
  readonly label: string;
  readonly value?: string;
  readonly children: (id: string) => ReactNode;
}

/** Label, control and, for sliders, the value. */
function Row({ label, value, children }: RowProps) {
  const id = useId();
  return (
    <div className="row" data-value={value === undefined ? undefined : ''}>
      <label htmlFor={id}>{label}</label>
      {children(id)}
      {value === undefined ? null : (
        <span className="value" aria-hidden="true">
          {value}
        </span>
      )}
    </div>
  );
}
