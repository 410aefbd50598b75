/**
 * What the dialog `Compare` holds: Run and Stop, two plots, the sentence with the exponents, and the table of the same
 * numbers.
 */
import { type ReactNode, useId } from 'react';
import { type ComparisonPoint, DEFAULT_COMPARISON, FAMILIES, type Family } from '../../config/comparison';
import { useActions, usePageState } from '../context';
import { ScalingPlot } from './ScalingPlot';
import { LineSample } from './style';
import {
  countOf,
  endSentences,
  extrapolationNote,
  growthClauses,
  memory,
  NAMES,
  timeOf,
  timeTick,
} from './words';
import 'uplot/dist/uPlot.min.css';
import './comparison.css';

export function Panel() {
  const points = usePageState((state) => state.comparison.points);
  return (
    <>
      <p>
        Three transformers of the same width, depth and weights, given more and more tokens on this device for
        about {DEFAULT_COMPARISON.budget / 1000} seconds. MeBT reads and writes its tokens through a few
        latent tokens; in the dense one every token attends to every other; the autoregressive one makes them
        one after another.
      </p>
      <Controls />
      <Result />
      <Legend />
      <div className="plots">
        <ScalingPlot title="Time against tokens" points={points} value={millisecondsOf} show={timeTick} />
        <ScalingPlot title="Peak memory against tokens" points={points} value={bytesOf} show={memory} />
      </div>
      <Table points={points} />
      <Notes points={points} />
    </>
  );
}

const millisecondsOf = ({ milliseconds }: ComparisonPoint): number => milliseconds;
const bytesOf = ({ bytes }: ComparisonPoint): number => bytes;

function Controls() {
  const { compare, stopComparing } = useActions();
  const run = usePageState((state) => state.comparison.run);
  const message = usePageState((state) => state.comparison.message);
  const measuring = usePageState((state) => state.comparison.measuring);
  const loaded = usePageState((state) => state.weights === 'ready');
  const id = useId();
  const busy = run === 'waiting' || run === 'running';
  const possible = loaded && !busy;
  const detail = measuring ? `${NAMES[measuring.family]}, ${countOf(measuring.tokens)} tokens` : '';
  return (
    <div className="run">
      <button
        type="button"
        className="primary"
        aria-disabled={!possible}
        onClick={() => possible && void compare()}
      >
        Run
      </button>
      <button type="button" aria-disabled={!busy} onClick={() => busy && stopComparing()}>
        Stop
      </button>
      <div className="doing" data-failed={run === 'failed' ? '' : undefined}>
        <p role="status">{loaded ? message : 'The weights are not there yet.'}</p>
        <p id={id} className="detail">
          {detail}
        </p>
      </div>
      {busy ? (
        <progress
          aria-label="Measuring"
          aria-describedby={id}
          {...(measuring ? { value: measuring.spent, max: DEFAULT_COMPARISON.budget } : {})}
        />
      ) : (
        <div className="no-progress" />
      )}
    </div>
  );
}

/** The exponents, once a run has come to its end. */
function Result() {
  const families = usePageState((state) => state.comparison.families);
  const points = usePageState((state) => state.comparison.points);
  if (!families) return null;
  const clauses = growthClauses(families);
  return (
    <div className="result">
      {clauses.length > 0 ? (
        <p>
          {'On this device time grew with the number of tokens N as '}
          {clauses.map(({ family, name, exponent, range }, i) => (
            <span key={family}>
              {separator(i, clauses.length)}
              <strong>
                N<sup>{exponent}</sup>
              </strong>
              {` for ${name} (${range})`}
            </span>
          ))}
          .
        </p>
      ) : (
        <p>Too few sizes fitted into the time to say how it grew with the number of tokens.</p>
      )}
      {endSentences(families, points).map((sentence) => (
        <p key={sentence} className="detail">
          {sentence}
        </p>
      ))}
    </div>
  );
}

function separator(i: number, count: number): string {
  if (i === 0) return '';
  return i === count - 1 ? ' and ' : ', ';
}

function Legend() {
  return (
    <ul className="legend">
      {FAMILIES.map((family) => (
        <li key={family}>
          <LineSample family={family} />
          {NAMES[family]}
        </li>
      ))}
    </ul>
  );
}

function Table({ points }: { readonly points: readonly ComparisonPoint[] }) {
  const at = (family: Family, tokens: number) =>
    points.find((point) => point.family === family && point.tokens === tokens);
  const cell = (point: ComparisonPoint | undefined, show: (point: ComparisonPoint) => string): ReactNode =>
    point ? (
      show(point)
    ) : (
      <span role="img" aria-label="not measured">
        –
      </span>
    );
  return (
    <table>
      <caption>Time of a pass, and its peak memory beyond the weights</caption>
      <thead>
        <tr>
          <th scope="col" rowSpan={2}>
            Tokens
          </th>
          {FAMILIES.map((family) => (
            <th key={family} scope="colgroup" colSpan={2}>
              {NAMES[family]}
            </th>
          ))}
        </tr>
        <tr>
          {FAMILIES.map((family) => [
            <th key={`${family} time`} scope="col">
              Time
            </th>,
            <th key={`${family} memory`} scope="col">
              Memory
            </th>,
          ])}
        </tr>
      </thead>
      <tbody>
        {DEFAULT_COMPARISON.sizes.map((tokens) => (
          <tr key={tokens}>
            <th scope="row">{countOf(tokens)}</th>
            {FAMILIES.map((family) => [
              <td key={`${family} time`}>{cell(at(family, tokens), timeOf)}</td>,
              <td key={`${family} memory`}>{cell(at(family, tokens), ({ bytes }) => memory(bytes))}</td>,
            ])}
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function Notes({ points }: { readonly points: readonly ComparisonPoint[] }) {
  const extrapolation = extrapolationNote(points);
  return (
    <div className="detail">
      <p>
        MeBT and dense: one forward pass with half of the tokens known, of which a clip takes some dozens.
        Autoregressive: all its steps, one token each with a key/value cache, which make a whole clip; steps
        are timed at four lengths of the cache. {extrapolation}
      </p>
      <p>
        Memory: the most bytes that tensors made in the pass held at one moment, activations and caches. All
        three borrow the loaded model’s weights: a pass costs the same whatever their values are.
      </p>
    </div>
  );
}
