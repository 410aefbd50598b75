/**
 * Opening a checkpoint: choosing its files, answering what they do not say, choosing how it is stored, and the
 * conversion under way.
 */
import { useEffect, useId, useRef } from 'react';
import { recipesFor } from '../config/officialSampling';
import { type KeepFields, missingFiles, type Question, questionsOf } from '../store/conversionAnswers';
import { type CheckpointWork, freeBytes } from '../store/models';
import { count, memoryWords, partOf, size, timeLeft } from '../store/words';
import type { Quantization } from '../worker/protocol';
import { useActions, usePageState } from './context';

export function OpenCheckpoint() {
  const work = usePageState((state) => state.models.work);
  const files = usePageState((state) => state.models.files);
  const section = useRef<HTMLElement>(null);
  const shown = useRef(work.kind);
  // What had the focus may be gone with the state before; and on a phone the list above fills the screen.
  useEffect(() => {
    if (shown.current === work.kind) return;
    shown.current = work.kind;
    section.current?.focus({ preventScroll: true });
    if (work.kind !== 'none') section.current?.scrollIntoView({ block: 'start' });
  }, [work.kind]);
  return (
    <section ref={section} tabIndex={-1} aria-label="Checkpoint" className="checkpoint">
      {work.kind === 'converting' ? null : <FileChoice />}
      {files.length > 0 ? <p className="files">{files.join(' and ')}</p> : null}
      <Work work={work} />
    </section>
  );
}

function FileChoice() {
  const { openCheckpoint } = useActions();
  const input = useRef<HTMLInputElement>(null);
  return (
    <div className="open">
      <button type="button" onClick={() => input.current?.click()}>
        Open checkpoint…
      </button>
      <p>
        Or drop it anywhere on the page: the transformer’s file of MeBT, and the VQGAN’s where it is separate.
        It is read and kept on this machine; nothing is sent.
      </p>
      <input
        ref={input}
        type="file"
        multiple
        hidden
        aria-label="Checkpoint files"
        accept=".ckpt,.pt,.pth,.bin,.safetensors"
        onChange={({ currentTarget }) => {
          const files = [...(currentTarget.files ?? [])];
          currentTarget.value = ''; // The same file may be chosen again.
          void openCheckpoint(files);
        }}
      />
    </div>
  );
}

function Work({ work }: { work: CheckpointWork }) {
  const { forgetCheckpoint } = useActions();
  switch (work.kind) {
    case 'none':
      return null;
    case 'reading':
      return <progress aria-label="Reading the checkpoint" />;
    case 'asking':
      return <Questions work={work} />;
    case 'choosing':
      return <Choice work={work} />;
    case 'converting':
      return <Converting work={work} />;
    case 'failed':
      return (
        <>
          <p role="alert" className="bad">
            {work.message}
          </p>
          <button type="button" onClick={forgetCheckpoint}>
            Dismiss
          </button>
        </>
      );
    default:
      work satisfies never;
      return null;
  }
}

function Questions({ work: { needs, problem } }: { work: Extract<CheckpointWork, { kind: 'asking' }> }) {
  const { answer, forgetCheckpoint } = useActions();
  const questions = questionsOf(needs);
  const missing = missingFiles(needs);
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        const data = new FormData(event.currentTarget);
        void answer(Object.fromEntries(questions.map(({ what }) => [what, String(data.get(what) ?? '')])));
      }}
    >
      {missing.map((why) => (
        <p key={why} role="alert">
          {why} Open or drop that file, too.
        </p>
      ))}
      {missing.length === 0 ? (
        <p>The files do not say everything. What is known of the official models is filled in.</p>
      ) : null}
      {missing.length === 0
        ? questions.map((question) => (
            <Field
              key={question.what}
              question={question}
              problem={problem?.what === question.what ? problem.message : null}
            />
          ))
        : null}
      <span className="actions">
        {missing.length === 0 ? (
          <button type="submit" className="primary">
            Go on
          </button>
        ) : null}
        <button type="button" onClick={forgetCheckpoint}>
          Cancel
        </button>
      </span>
    </form>
  );
}

function Field({ question, problem }: { question: Question; problem: string | null }) {
  const id = useId();
  return (
    <p className="field">
      <label htmlFor={id}>{question.label}</label>
      <input
        id={id}
        type="text"
        name={question.what}
        defaultValue={question.suggestion}
        autoComplete="off"
        spellCheck={false}
        aria-describedby={`${id}-hint`}
        aria-invalid={problem !== null}
      />
      <small id={`${id}-hint`} className={problem ? 'bad' : undefined}>
        {problem ?? question.hint}
      </small>
    </p>
  );
}

const QUANTIZATIONS: readonly (readonly [Quantization, string])[] = [
  ['int8', 'int8, the usual choice'],
  ['int4', 'int4, smallest and least exact'],
  ['float16', 'float16'],
  ['float32', 'float32, as saved'],
];

function Choice({ work: { found, quantization } }: { work: Extract<CheckpointWork, { kind: 'choosing' }> }) {
  const { chooseQuantization, convert, forgetCheckpoint, showPlannedReport } = useActions();
  const free = usePageState((state) => freeBytes(state.models));
  const { facts, sizes, missing } = found;
  const [frames, height, width] = facts.clip;
  const needed = sizes[quantization];
  const memory = found.memory?.[quantization];
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        const data = new FormData(event.currentTarget);
        const typed = (field: keyof KeepFields): string => String(data.get(field) ?? '');
        void convert({
          name: typed('name'),
          license: typed('license'),
          sampling: typed('sampling'),
          frameRate: typed('frameRate'),
        });
      }}
    >
      <p>
        {count(facts.parameters)} parameters, clips of up to {frames} frames, {width} × {height}.
      </p>
      <fieldset>
        <legend>Store as</legend>
        {QUANTIZATIONS.map(([kind, words]) => (
          <label key={kind}>
            <input
              type="radio"
              name="quantization"
              checked={kind === quantization}
              onChange={() => chooseQuantization(kind)}
            />
            {words} <span className="value">{size(sizes[kind])}</span>
          </label>
        ))}
      </fieldset>
      <KeepAs found={found} />
      {missing.length > 0 ? (
        <p role="alert" className="bad">
          It cannot be converted: {missing.length} tensors are missing, {missing.slice(0, 3).join(', ')} among
          them.
        </p>
      ) : null}
      <p className={free !== null && needed > free ? 'bad' : undefined}>
        It takes {size(needed)}
        {free === null ? '.' : ` of the ${size(free)} that the browser lets this page store.`}
      </p>
      {memory ? <p>Memory: {memoryWords(memory)}.</p> : null}
      {memory?.problem ? <p className="bad">{memory.problem}</p> : null}
      <span className="actions">
        <button type="submit" className="primary" aria-disabled={missing.length > 0}>
          Convert
        </button>
        <button type="button" onClick={showPlannedReport}>
          Report
        </button>
        <button type="button" onClick={forgetCheckpoint}>
          Cancel
        </button>
      </span>
    </form>
  );
}

/** What the model is called and comes with. */
function KeepAs({
  found: { facts, sampling },
}: Pick<Extract<CheckpointWork, { kind: 'choosing' }>, 'found'>) {
  const id = useId();
  const text = { type: 'text', autoComplete: 'off' } as const;
  return (
    <>
      <p className="field">
        <label htmlFor={`${id}-name`}>Name</label>
        <input {...text} id={`${id}-name`} name="name" defaultValue={facts.name} spellCheck={false} />
      </p>
      <p className="field">
        <label htmlFor={`${id}-license`}>Licence</label>
        <input
          {...text}
          id={`${id}-license`}
          name="license"
          maxLength={300}
          placeholder="Not stated"
          aria-describedby={`${id}-license-hint`}
        />
        <small id={`${id}-license-hint`}>
          Checkpoints do not say it. A note, such as “CC BY 4.0”, is kept with the model.
        </small>
      </p>
      <p className="field">
        <label htmlFor={`${id}-sampling`}>Sampling</label>
        <select
          id={`${id}-sampling`}
          name="sampling"
          defaultValue={sampling}
          aria-describedby={`${id}-sampling-hint`}
        >
          <option value="general">General defaults</option>
          {recipesFor(facts.clip[0]).map(({ recipe, label }) => (
            <option key={recipe} value={recipe}>
              As published for {label}
            </option>
          ))}
        </select>
        <small id={`${id}-sampling-hint`}>
          {sampling === 'general'
            ? 'Weights do not tell what they were trained on: choose it where it is one of these.'
            : 'Found in the checkpoint’s settings.'}
        </small>
      </p>
      <p className="field">
        <label htmlFor={`${id}-rate`}>Frames a second</label>
        <input {...text} id={`${id}-rate`} name="frameRate" inputMode="decimal" defaultValue="16" />
      </p>
    </>
  );
}

function Converting({ work }: { work: Extract<CheckpointWork, { kind: 'converting' }> }) {
  const { stopConversion } = useActions();
  const { doneBytes, totalBytes, bytesPerSecond, millisecondsLeft } = work;
  const pace = bytesPerSecond > 0 ? ` · ${size(bytesPerSecond)}/s` : '';
  const left = millisecondsLeft === null ? '' : ` · ${timeLeft(millisecondsLeft)}`;
  return (
    <>
      <progress aria-label="Converting" aria-describedby="converting" value={doneBytes} max={totalBytes} />
      <p id="converting">
        {partOf(doneBytes, totalBytes)}
        {pace}
        {left}
      </p>
      <button type="button" onClick={stopConversion}>
        Stop
      </button>
    </>
  );
}
