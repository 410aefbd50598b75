/**
 * Encodes the finished clip and hands the file to the visitor. Runs beside a generation; part of the store.
 */
import { failureOf, type PageContext } from './context';
import { fileName, size } from './words';

export function createDownload({ deps, store, held }: PageContext): () => Promise<void> {
  return async () => {
    const { clip, encoding, format } = store.getState();
    const data = held.clip;
    if (!clip || !data || encoding === 'running') return;
    store.setState({
      encoding: 'running',
      encoded: null,
      failure: null,
      status: `Writing ${format.toUpperCase()}.`,
    });
    try {
      const { file, extension } = await deps.engine.encode(format, data, {
        onProgress: (frame, frames) => store.setState({ encoded: { frame, frames } }),
      });
      const name = fileName(clip.model, clip.seed, clip.frames, extension);
      deps.saveFile(file, name);
      store.setState({ status: `Saved ${name}, ${size(file.size)}.` });
    } catch (error) {
      const failure = failureOf('encode', error);
      store.setState({ failure, status: failure.message });
    } finally {
      store.setState({ encoding: 'idle', encoded: null });
    }
  };
}
