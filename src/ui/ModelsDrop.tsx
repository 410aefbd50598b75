/** Checkpoints may be dropped anywhere: the page says so while files are dragged over it, and takes them. */
import { useEffect, useState } from 'react';
import { useActions } from './context';

const holdsFiles = (event: DragEvent): boolean => event.dataTransfer?.types.includes('Files') ?? false;

export function ModelsDrop() {
  const { openCheckpoint } = useActions();
  const [over, setOver] = useState(false);

  useEffect(() => {
    /** Elements that the pointer has entered and not left: the page is left with the last of them. */
    let depth = 0;
    const listen = (
      type: 'dragenter' | 'dragover' | 'dragleave' | 'drop',
      take: (event: DragEvent) => void,
    ) => {
      const listener = (event: DragEvent) => {
        if (!holdsFiles(event) || event.defaultPrevented) return;
        event.preventDefault(); // Else the browser opens the file in place of the page.
        take(event);
      };
      addEventListener(type, listener);
      return () => removeEventListener(type, listener);
    };
    const move = (by: number) => {
      depth = Math.max(0, depth + by);
      setOver(depth > 0);
    };
    const ends = [
      listen('dragenter', () => move(1)),
      listen('dragover', () => undefined),
      listen('dragleave', () => move(-1)),
      listen('drop', ({ dataTransfer }) => {
        move(-depth);
        void openCheckpoint([...(dataTransfer?.files ?? [])]);
      }),
    ];
    return () => {
      for (const end of ends) end();
    };
  }, [openCheckpoint]);

  return over ? <div className="drop">Drop the checkpoint: it is converted on this machine.</div> : null;
}
