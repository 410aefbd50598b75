/**
 * Format and Download: taking the clip home.
 */
import { FORMATS } from '../store/address';
import type { ClipFormat } from '../worker/protocol';
import { useActions, usePageState } from './context';

const NAMES: Readonly<Record<ClipFormat, string>> = { mp4: 'MP4', webm: 'WebM', gif: 'GIF' };

export function Keep() {
  const { chooseFormat, download } = useActions();
  const format = usePageState((state) => state.format);
  const formats = usePageState((state) => state.formats);
  const possible = usePageState((state) => state.clip !== null && state.encoding === 'idle');
  return (
    <div className="keep">
      <label htmlFor="format">Format</label>
      <select
        id="format"
        value={format}
        onChange={(event) => {
          const chosen = FORMATS.find((name) => name === event.currentTarget.value);
          if (chosen) chooseFormat(chosen);
        }}
      >
        {FORMATS.map((name) => (
          <option key={name} value={name} disabled={formats.length > 0 && !formats.includes(name)}>
            {NAMES[name]}
          </option>
        ))}
      </select>
      <button type="button" aria-disabled={!possible} onClick={() => possible && void download()}>
        Download
      </button>
    </div>
  );
}
