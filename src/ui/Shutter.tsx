/**
 * Generate and Stop, and under them what is going on: the status line, the progress bars, Retry.
 */
import { clipWords, partOf, timeLeft } from '../store/words';
import { useActions, usePageState } from './context';

export function Shutter() {
  const { generate, stop } = useActions();
  const idle = usePageState((state) => state.generation === 'idle');
  const ready = usePageState((state) => state.weights === 'ready');
  // aria-disabled and not disabled: a button that is switched off must not drop the keyboard's focus.
  return (
    <div className="shutter">
      <button
        type="button"
        className="primary"
        aria-disabled={!(ready && idle)}
        onClick={() => ready && idle && void generate()}
      >
        Generate
      </button>
      <button
        type="button"
        className={idle ? undefined : 'primary'}
        aria-disabled={idle}
        aria-keyshortcuts="Escape"
        title="Stop (Esc)"
        onClick={() => !idle && stop()}
      >
        Stop
      </button>
    </div>
  );
}

export function Status() {
  const { retry } = useActions();
  const status = usePageState((state) => state.status);
  const failure = usePageState((state) => state.failure);
  return (
    <div className="status" data-failed={failure ? '' : undefined}>
      <Bar />
      <p role="status" aria-live="polite">
        {status}
      </p>
      {failure?.retry ? (
        <button type="button" onClick={() => void retry()}>
          Retry
        </button>
      ) : (
        <Detail />
      )}
      {failure?.instead ? <Instead source={failure.instead} /> : null}
      <Notices />
    </div>
  );
}

function Instead({ source }: { source: string }) {
  const { switchModel } = useActions();
  return (
    <button type="button" onClick={() => void switchModel(source)}>
      Use the page’s own model
    </button>
  );
}

function Bar() {
  const bytes = usePageState((state) => state.bytes);
  const weights = usePageState((state) => state.weights);
  const progress = usePageState((state) => state.progress);
  const encoding = usePageState((state) => state.encoding);
  const encoded = usePageState((state) => state.encoded);
  if (weights === 'loading') {
    // Without a value while the size is not known yet.
    const known = bytes && bytes.total > 0 ? { value: bytes.loaded, max: bytes.total } : {};
    return <progress aria-label="Loading weights" aria-describedby="detail" {...known} />;
  }
  if (progress) {
    const { step, steps } = progress;
    return <progress aria-label="Generating" aria-describedby="detail" value={step} max={steps} />;
  }
  if (encoding === 'running') {
    const known = encoded ? { value: encoded.frame, max: encoded.frames } : {};
    return <progress aria-label="Writing the file" aria-describedby="detail" {...known} />;
  }
  return <div className="no-progress" />;
}

/** The figures beside the bar. Not live: they change too often to be read out. */
function Detail() {
  const weights = usePageState((state) => state.weights);
  const bytes = usePageState((state) => state.bytes);
  const progress = usePageState((state) => state.progress);
  const encoded = usePageState((state) => state.encoded);
  const view = usePageState((state) => state.view);
  const clip = usePageState((state) => state.clip);
  let text = '';
  if (weights === 'loading' && bytes) {
    text = `${partOf(bytes.loaded, bytes.total)}${bytes.fromCache ? ', kept from last time' : ''}`;
  } else if (progress) {
    const { step, steps, phase, decoded, millisecondsLeft } = progress;
    const what = decoded
      ? `decoding, ${decoded.done} of ${decoded.total} frames`
      : step === 0
        ? 'starting'
        : `step ${step} of ${steps}${phase === 'revise' ? ', revising' : ''}`;
    text = millisecondsLeft === null ? what : `${what} · ${timeLeft(millisecondsLeft)}`;
  } else if (encoded) {
    text = `frame ${encoded.frame} of ${encoded.frames}`;
  } else if (clip?.scene && view === 'clip') {
    text = clipWords(clip.scene);
  }
  return (
    <p id="detail" className="detail">
      {text}
    </p>
  );
}

function Notices() {
  const { dismissNotices } = useActions();
  const notices = usePageState((state) => state.notices);
  if (notices.length === 0) return null;
  return (
    <div className="notices">
      {notices.map((notice) => (
        <p key={notice}>{notice}</p>
      ))}
      <button type="button" onClick={dismissNotices}>
        Dismiss
      </button>
    </div>
  );
}
