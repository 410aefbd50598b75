/**
 * The dialog of the models at hand, and the button that opens it, which also tells how far a conversion is while the
 * dialog is closed. What is in it is in ModelsContent.tsx.
 */
import { lazy, Suspense, useEffect, useRef } from 'react';
import { conversionInWords } from '../store/models';
import { useActions, usePageState } from './context';
import './styles/models.css';

/** Fetched when the dialog is opened for the first time. */
const ModelsContent = lazy(() => import('./ModelsContent'));

export function ModelsButton() {
  const { openModels } = useActions();
  const converting = usePageState(conversionInWords);
  return (
    <button type="button" className="quiet" aria-haspopup="dialog" onClick={openModels}>
      Models{converting ? `, ${converting}` : ''}
    </button>
  );
}

export function ModelsDialog() {
  const { closeModels } = useActions();
  const open = usePageState((state) => state.models.dialog === 'open');
  const report = usePageState((state) => state.models.report);
  const dialog = useRef<HTMLDialogElement>(null);
  const opener = useRef<Element>(null);

  useEffect(() => {
    if (!open) dialog.current?.close();
    else if (!dialog.current?.open) {
      opener.current = document.activeElement;
      dialog.current?.showModal();
    }
  }, [open]);
  const onClose = () => {
    closeModels();
    // Browsers do it only where what had the focus in the dialog is still there.
    if (opener.current instanceof HTMLElement) opener.current.focus();
  };

  return (
    <dialog ref={dialog} className="models" aria-labelledby="models-title" onClose={onClose}>
      <header>
        <h2 id="models-title">{report ? `Report: ${report.title}` : 'Models'}</h2>
        <button type="button" onClick={closeModels}>
          Close
        </button>
      </header>
      {open ? (
        <Suspense>
          <ModelsContent />
        </Suspense>
      ) : null}
    </dialog>
  );
}
