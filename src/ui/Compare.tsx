/**
 * The quiet button `Compare` and the dialog that it opens. What is in the dialog, with the plotting library, is fetched
 * when it is opened: comparison/Panel.tsx.
 */
import { type ComponentType, useEffect, useEffectEvent, useRef, useState } from 'react';
import { createPortal } from 'react-dom';
import { useActions } from './context';

export function Compare() {
  const { stopComparing } = useActions();
  const [open, setOpen] = useState(false);
  const close = () => {
    stopComparing();
    setOpen(false);
  };
  return (
    <>
      <button type="button" className="quiet" aria-haspopup="dialog" onClick={() => setOpen(true)}>
        Compare
      </button>
      {open ? <ComparisonDialog onClose={close} /> : null}
    </>
  );
}

type Contents = { readonly panel: ComponentType } | 'loading' | 'missing';

function ComparisonDialog({ onClose }: { readonly onClose: () => void }) {
  const dialog = useRef<HTMLDialogElement>(null);
  const [contents, setContents] = useState<Contents>('loading');

  useEffect(() => {
    dialog.current?.showModal();
    import('./comparison/Panel').then(
      ({ Panel }) => setContents({ panel: Panel }),
      () => setContents('missing'),
    );
  }, []);
  useOwnKeys(dialog);

  // In the body, so that no style of the place where the button stands reaches it.
  return createPortal(
    <dialog ref={dialog} className="comparison" aria-labelledby="comparison-title" onClose={onClose}>
      <h2 id="comparison-title">Cost against length</h2>
      <button type="button" className="close" onClick={() => dialog.current?.close()}>
        Close
      </button>
      {contents === 'loading' ? <p>Loading.</p> : null}
      {contents === 'missing' ? (
        <p role="alert">
          This part of the page could not be fetched. Check the connection, close this and open it again.
        </p>
      ) : null}
      {typeof contents === 'object' ? <contents.panel /> : null}
    </dialog>,
    document.body,
  );
}

/** Keys pressed in the dialog are the dialog's: Escape closes it and does not stop a clip behind it. */
function useOwnKeys(dialog: React.RefObject<HTMLDialogElement | null>) {
  const keep = useEffectEvent((event: KeyboardEvent) => event.stopPropagation());
  useEffect(() => {
    const element = dialog.current;
    element?.addEventListener('keydown', keep);
    return () => element?.removeEventListener('keydown', keep);
  }, [dialog]);
}
