/**
 * The page: a window on a sky, and the controls of a camera beside or below it.
 */
import { Fragment } from 'react';
import { isOwn } from '../store/ownModels';
import { machineParts } from '../store/words';
import { Compare } from './Compare';
import { useActions, usePage, usePageState, usePlayhead } from './context';
import { useKeys } from './hooks';
import { Keep } from './Keep';
import { ModelsButton, ModelsDialog } from './Models';
import { ModelsDrop } from './ModelsDrop';
import { Reel } from './Reel';
import { Settings } from './Settings';
import { Shutter, Status } from './Shutter';
import { Window } from './Window';
import './styles/tokens.css';
import './styles/layout.css';
import './styles/window.css';
import './styles/controls.css';
import './styles/dialog.css';

export function App() {
  useShortcuts();
  return (
    <main className="room">
      <header>
        <h1>Sky, unmasked</h1>
        <p>Short skies, imagined on your own device.</p>
      </header>
      <section className="stage" aria-label="Clip">
        <Window />
        <Reel />
      </section>
      <section className="controls" aria-label="Controls">
        <div className="now">
          <Shutter />
          <Status />
        </div>
        <div className="next">
          <Settings />
          <Keep />
        </div>
        <Machine />
      </section>
      <ModelsDialog />
      <ModelsDrop />
    </main>
  );
}

function Machine() {
  const model = usePageState((state) => state.model);
  const backend = usePageState((state) => state.backend);
  const millisecondsPerStep = usePageState((state) => state.millisecondsPerStep);
  return (
    <footer className="machine">
      <p>
        {machineParts(model, backend, millisecondsPerStep).map((part, i) => (
          <Fragment key={part}>
            {i > 0 ? ' · ' : null}
            <span>{part}</span>
          </Fragment>
        ))}
      </p>
      {backend ? <p>{backend.reason}</p> : null}
      {model && !isOwn(model.source) ? <p>Licence: {model.license}</p> : null}
      <div className="tools">
        {model ? <Compare /> : null}
        <ModelsButton />
      </div>
    </footer>
  );
}

/** Space plays and pauses, the arrows step through the frames, Escape stops. */
function useShortcuts() {
  const { store } = usePage();
  const { stop, togglePlayback } = useActions();
  const playhead = usePlayhead();
  const move = (by: number) => {
    const { clip, view, playback } = store.getState();
    if (!clip || view !== 'clip') return;
    if (playback === 'playing') togglePlayback();
    playhead.moveTo((Math.floor(playhead.at()) + by + clip.frames) % clip.frames);
  };
  useKeys((key) => {
    if (key === 'Escape') stop();
    else if (key === 'ArrowLeft') move(-1);
    else if (key === 'ArrowRight') move(1);
    else if (key === ' ') {
      if (store.getState().view === 'clip') togglePlayback();
    } else return false;
    return true;
  });
}
