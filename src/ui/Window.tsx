/**
 * The window: the live preview and the finished clip in one frame, and the light that they throw around it.
 */
import { useEffect, useRef } from 'react';
import { usePageState } from './context';
import { GeneratedVideo } from './GeneratedVideo';
import { REDUCED_MOTION, useMediaQuery } from './hooks';
import { LivePreview } from './LivePreview';
import { AURA_SIDE, paintAura } from './painting/aura';

/** Milliseconds between two looks at the picture's light. */
const AURA_INTERVAL = 160;

export function Window() {
  const preview = useRef<HTMLCanvasElement>(null);
  const video = useRef<HTMLCanvasElement>(null);
  const aura = useRef<HTMLCanvasElement>(null);
  const view = usePageState((state) => state.view);
  const calm = useMediaQuery(REDUCED_MOTION);

  useEffect(() => {
    const look = (atOnce: boolean) => {
      const picture = view === 'clip' ? video.current : preview.current;
      if (picture && aura.current && !document.hidden) paintAura(aura.current, picture, atOnce);
    };
    look(calm);
    const timer = setInterval(() => look(calm), calm ? 1000 : AURA_INTERVAL);
    return () => clearInterval(timer);
  }, [view, calm]);

  return (
    <div className="window" data-view={view}>
      <canvas ref={aura} className="aura" width={AURA_SIDE} height={AURA_SIDE} />
      <div className="pane">
        <LivePreview canvas={preview} />
        <GeneratedVideo canvas={video} />
      </div>
    </div>
  );
}
