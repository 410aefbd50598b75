/** What is in the dialog `Models`: which one is used, what is kept on this machine, and opening a checkpoint. */
import { useEffect, useId } from 'react';
import { KEPT_SCHEME } from '../config/keptModel';
import { freeBytes } from '../store/models';
import { OWN_MODELS } from '../store/ownModels';
import { count, duration, memoryWords, size } from '../store/words';
import type { MemoryFigures, ModelEntry } from '../worker/protocol';
import { useActions, usePageState } from './context';
import { OpenCheckpoint } from './ModelsCheckpoint';

/** A default export, as React.lazy asks for. */
export default function ModelsContent() {
  const report = usePageState((state) => state.models.report);
  return report ? <Report text={report.text} /> : <Library />;
}

function Report({ text }: { text: string }) {
  const { closeReport } = useActions();
  return (
    <>
      <textarea className="report" readOnly wrap="off" aria-label="Report of the conversion" value={text} />
      <button type="button" onClick={closeReport}>
        Back
      </button>
    </>
  );
}

function Library() {
  const list = usePageState((state) => state.models.list);
  const notice = usePageState((state) => state.models.notice);
  const hosted = usePageState((state) => state.models.hosted);
  useFreshList();
  return (
    <>
      <ul>
        {OWN_MODELS.map(({ source, role }, i) => {
          const entry = list?.own[i];
          return entry ? <Entry key={source} entry={entry} source={source} where={role} /> : null;
        })}
        {hosted.map(({ source, entry, problem }) =>
          entry ? (
            <Entry key={source} entry={entry} source={source} where={source} />
          ) : (
            <li key={source}>
              <div>
                <h3>{source}</h3>
                <p role={problem ? 'alert' : undefined} className={problem ? 'bad' : undefined}>
                  {problem || 'Looking it up.'}
                </p>
              </div>
            </li>
          ),
        )}
        {list?.kept.map((entry) => (
          <Entry key={entry.hash} entry={entry} source={`${KEPT_SCHEME}${entry.hash}`} where="kept here" />
        ))}
      </ul>
      <p role="status" className="notice">
        {notice}
      </p>
      <OpenCheckpoint />
      <LookUp />
      <Room />
    </>
  );
}

/** Other tabs may convert and remove: the list is read again when this one is looked at. */
function useFreshList() {
  const { refreshModels } = useActions();
  useEffect(() => {
    const look = () => document.visibilityState === 'visible' && void refreshModels();
    document.addEventListener('visibilitychange', look);
    return () => document.removeEventListener('visibilitychange', look);
  }, [refreshModels]);
}

/** A hosted model by its address: what it is comes first, its weights when it is used. */
function LookUp() {
  const { lookUpModel } = useActions();
  const problem = usePageState((state) => state.models.addressProblem);
  const id = useId();
  return (
    <form
      className="look-up"
      onSubmit={(event) => {
        event.preventDefault();
        void lookUpModel(String(new FormData(event.currentTarget).get('address') ?? ''));
      }}
    >
      <label htmlFor={id}>Hosted model</label>
      <input
        id={id}
        name="address"
        type="text"
        inputMode="url"
        placeholder="https://…/manifest.json"
        autoComplete="off"
        spellCheck={false}
        aria-describedby={`${id}-hint`}
        aria-invalid={problem !== ''}
      />
      <button type="submit">Look up</button>
      <small id={`${id}-hint`} className={problem ? 'bad' : undefined} role={problem ? 'alert' : undefined}>
        {problem ||
          'The address of its manifest. Size and licence are shown before anything large is fetched.'}
      </small>
    </form>
  );
}

interface EntryProps {
  readonly entry: ModelEntry;
  /** What `?model=` takes. */
  readonly source: string;
  readonly where: string;
}

function Entry({ entry, source, where }: EntryProps) {
  const { switchModel, removeModel, showReport } = useActions();
  const inUse = usePageState((state) => state.model?.source === source);
  const busy = usePageState((state) => state.weights === 'loading');
  const pace = usePageState((state) => state.pace);
  const { name, license, parameters, bytes, clip, hash, memory, flopsPerSecond } = entry;
  const [frames, height, width] = clip;
  const facts = [
    size(bytes),
    `${count(parameters)} parameters`,
    `${frames} frames`,
    `${width} × ${height}`,
    ...(pace === null ? [] : [`about ${duration(flopsPerSecond / pace)} for a second of video, here`]),
    where,
  ];
  return (
    <li aria-current={inUse ? 'true' : undefined}>
      <Facts name={name} license={license} parts={facts} memory={memory} inUse={inUse} />
      <span className="actions">
        {inUse ? null : (
          <button
            type="button"
            aria-label={`Use ${name}`}
            aria-disabled={busy}
            onClick={() => !busy && void switchModel(source)}
          >
            Use
          </button>
        )}
        {source.startsWith(KEPT_SCHEME) ? (
          <>
            <button
              type="button"
              aria-label={`Report of ${name}`}
              onClick={() => void showReport(hash, name)}
            >
              Report
            </button>
            <button type="button" aria-label={`Remove ${name}`} onClick={() => void removeModel(hash)}>
              Remove
            </button>
          </>
        ) : null}
      </span>
    </li>
  );
}

interface FactsProps {
  readonly name: string;
  readonly license: string;
  readonly parts: readonly string[];
  readonly memory: MemoryFigures | null;
  readonly inUse: boolean;
}

function Facts({ name, license, parts, memory, inUse }: FactsProps) {
  return (
    <div>
      <h3>
        {name}
        {inUse ? <small> in use</small> : null}
      </h3>
      <p>{parts.join(' · ')}</p>
      {memory ? <p>Memory: {memoryWords(memory)}</p> : null}
      {memory?.problem ? <p className="bad">{memory.problem}</p> : null}
      <p>Licence: {license}</p>
    </div>
  );
}

function Room() {
  const storage = usePageState((state) => state.models.list?.storage);
  const free = usePageState((state) => freeBytes(state.models));
  if (!storage || free === null) return null;
  return (
    <p className="room-left">
      This page stores {size(storage.used)}; the browser lets it store {size(free)} more.
    </p>
  );
}
