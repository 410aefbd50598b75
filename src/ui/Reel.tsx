/**
 * The strip under the picture: while tokens are fixed, how far each latent frame is; afterwards the whole clip in
 * one picture, with Play, Pause and the slider `Frame`.
 */
import { useEffect, useRef, useSyncExternalStore } from 'react';
import { useActions, usePage, usePageState, usePlayhead } from './context';
import { paintSlitScan } from './painting/player';
import { paintTokenStrip } from './painting/strip';

export function Reel() {
  const clip = usePageState((state) => state.clip);
  const atClip = usePageState((state) => state.view === 'clip');
  return (
    <div className="reel">
      <PlayButton disabled={!atClip} />
      <div className="strip">
        <StripPicture />
        {atClip && clip ? <FrameSlider key={clip.id} frames={clip.frames} /> : <FixedBars />}
      </div>
      {atClip && clip ? <FrameCount frames={clip.frames} /> : <FixedCount />}
    </div>
  );
}

function PlayButton({ disabled }: { disabled: boolean }) {
  const { togglePlayback } = useActions();
  const playing = usePageState((state) => state.playback === 'playing');
  const name = playing ? 'Pause' : 'Play';
  return (
    <button
      type="button"
      className="round"
      aria-label={name}
      title={`${name} (space)`}
      disabled={disabled}
      onClick={togglePlayback}
    >
      <svg viewBox="0 0 16 16" aria-hidden="true">
        <path d={playing ? 'M4 3h3v10H4zM9 3h3v10H9z' : 'M4.5 2.5v11l9-5.5z'} />
      </svg>
    </button>
  );
}

function StripPicture() {
  const { store, held } = usePage();
  const canvas = useRef<HTMLCanvasElement>(null);
  useEffect(() => {
    const paint = () => {
      const element = canvas.current;
      if (!element) return;
      const { view, generation } = store.getState();
      if (view === 'clip' && held.clip) paintSlitScan(element, held.clip);
      else if (generation !== 'idle' && held.step && held.table)
        paintTokenStrip(element, held.step, held.table);
      else element.width = 1;
    };
    paint();
    return store.subscribe((state, before) => {
      if (state.stepId !== before.stepId || state.view !== before.view || state.clip !== before.clip) paint();
    });
  }, [store, held]);
  return <canvas ref={canvas} className="strip-picture" width={1} height={1} />;
}

/** One bar a latent frame, as long as its share of fixed tokens. */
function FixedBars() {
  const shares = usePageState((state) => state.fixedShare);
  const percent = shares.map((share) => `${Math.round(share * 100)}%`);
  return (
    <div
      className="bars"
      role="img"
      aria-label={`Fixed, latent frame by latent frame: ${percent.join(', ') || 'none yet'}`}
    >
      {shares.map((share, t) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: a latent frame is its index.
        <i key={t}>
          <b style={{ transform: `scaleX(${share})` }} />
        </i>
      ))}
    </div>
  );
}

/** The figure beside the slider, which says the same to a screen reader. */
function FrameCount({ frames }: { frames: number }) {
  const frame = useFrame();
  return (
    <span className="count" aria-hidden="true">
      {frame} / {frames}
    </span>
  );
}

/** How much of the whole grid is fixed. */
function FixedCount() {
  const shares = usePageState((state) => state.fixedShare);
  const generating = usePageState((state) => state.generation !== 'idle');
  const mean = shares.reduce((sum, share) => sum + share, 0) / Math.max(1, shares.length);
  return (
    <span className="count" aria-hidden="true">
      {generating ? `${Math.round(mean * 100)}%` : ''}
    </span>
  );
}

/** The frame that the playhead is on, counted from 1; renders only when it changes. */
function useFrame(): number {
  const playhead = usePlayhead();
  return useSyncExternalStore(playhead.listen, () => Math.floor(playhead.at()) + 1);
}

function FrameSlider({ frames }: { frames: number }) {
  const playhead = usePlayhead();
  const { store, actions } = usePage();
  const frame = useFrame();
  const needle = useRef<HTMLSpanElement>(null);

  useEffect(() => {
    const follow = (at: number) => {
      const share = Math.min(1, at / Math.max(1, frames - 1));
      needle.current?.style.setProperty('--at', String(share));
    };
    follow(playhead.at());
    return playhead.listen(follow);
  }, [playhead, frames]);

  return (
    <>
      <span ref={needle} className="needle" aria-hidden="true" />
      <input
        type="range"
        className="frame"
        aria-label="Frame"
        aria-valuetext={`${frame} of ${frames}`}
        min={1}
        max={frames}
        step={1}
        value={frame}
        onChange={(event) => {
          if (store.getState().playback === 'playing') actions.togglePlayback();
          playhead.moveTo(event.currentTarget.valueAsNumber - 1);
        }}
      />
    </>
  );
}
