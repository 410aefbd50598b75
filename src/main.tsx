/**
 * Mounts the page: the store with the browser around it, then React.
 */
import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { createPage } from './store/page';
import { App } from './ui/App';
import { PageProvider } from './ui/context';
import { REDUCED_MOTION } from './ui/hooks';
import { EngineClient, LibraryClient } from './worker/client';

/** An object URL must outlive the click that uses it; some browsers read it late. */
const FILE_URL_LIFE_MS = 60_000;

function saveFile(file: Blob, name: string): void {
  const url = URL.createObjectURL(file);
  const link = document.createElement('a');
  link.href = url;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), FILE_URL_LIFE_MS);
}

const engine = new EngineClient();
const page = createPage({
  engine,
  library: new LibraryClient(engine.connection),
  search: () => location.search,
  replaceSearch: (search) => history.replaceState(history.state, '', search + location.hash),
  saveFile,
  drawSeed: () => crypto.getRandomValues(new Uint32Array(1))[0] ?? 0,
  calm: matchMedia(REDUCED_MOTION).matches,
});

const root = document.getElementById('root');
if (!root) throw new Error('index.html has no element with the id "root" to mount the page in.');
/** The last word when a component throws: React has taken the page away by then. */
function showCrash(error: unknown): void {
  const line = document.createElement('p');
  line.setAttribute('role', 'alert');
  line.className = 'crash';
  line.textContent = `The page stopped on an error: ${error instanceof Error ? error.message : String(error)} Load it again to go on.`;
  document.body.append(line);
  console.error(error);
}

createRoot(root, { onUncaughtError: showCrash }).render(
  <StrictMode>
    <PageProvider page={page}>
      <App />
    </PageProvider>
  </StrictMode>,
);
void page.actions.begin();
