/**
 * One generation at a time: from Generate to the clip, a failure, or Stop. Part of the store; no React.
 */
import type { GenerationOptions } from '../config/generation';
import { offeredOf } from '../config/scene';
import type { GenerationEvent } from '../worker/client';
import { failureOf, type PageContext } from './context';
import { fixedShareOf, type PageState } from './state';
import { duration } from './words';

/** Floating-point operations of a clip that tells a pace: what takes the time of smaller ones is not arithmetic. */
const TELLING_FLOPS = 5e9;
/** Steps that the time left is judged by. */
const RECENT_STEPS = 4;

interface Run {
  readonly abort: AbortController;
  readonly options: GenerationOptions;
  readonly stepTimes: number[];
}

export interface Generation {
  generate(): Promise<void>;
  stop(): void;
}

export function createGeneration(context: PageContext, commitSeed: () => void): Generation {
  const { deps, store } = context;
  /** The run that the page shows; a run that was stopped is no longer it. */
  let current: Run | null = null;
  /** Ends when the worker is done with what was started last, stopped or not. */
  let engineFree: Promise<void> = Promise.resolve();
  /** Milliseconds that the decoder took for one frame last time. */
  let decodePace: number | null = null;

  const follow = async (run: Run) => {
    let decodeStart = 0;
    for await (const event of deps.engine.generate(run.options, run.abort.signal)) {
      if (current !== run) continue;
      if (event.type === 'decodeProgress' && decodeStart === 0) decodeStart = performance.now();
      takeEvent(context, run, event, decodePace);
      if (event.type !== 'clip') continue;
      if (decodeStart > 0) decodePace = (performance.now() - decodeStart) / run.options.frames;
      current = null;
    }
  };

  const generate = async () => {
    if (store.getState().weights !== 'ready' || current) return;
    commitSeed();
    const run: Run = { abort: new AbortController(), options: store.getState().settings, stepTimes: [] };
    current = run;
    store.setState(startOf(store.getState(), run.options));
    const work = async () => {
      await engineFree;
      if (current !== run) return;
      try {
        await follow(run);
      } catch (error) {
        if (current !== run) return;
        current = null;
        const failure = failureOf('generate', error);
        store.setState({ ...idleOf(store.getState()), failure, status: failure.message });
      }
    };
    engineFree = work();
    await engineFree;
  };

  const stop = () => {
    const run = current;
    if (!run) return;
    current = null;
    run.abort.abort();
    const state = store.getState();
    const { step = 0, steps = run.options.steps } = state.progress ?? {};
    store.setState({ ...idleOf(state), status: `Stopped after step ${step} of ${steps}.` });
  };

  return { generate, stop };
}

function startOf({ stepId, facts }: PageState, options: GenerationOptions): Partial<PageState> {
  return {
    generation: 'stepping',
    progress: {
      phase: 'draft',
      step: 0,
      steps: options.bootstrap + options.steps + options.revisePasses * options.reviseSteps,
      millisecondsLeft: null,
      decoded: null,
    },
    stepId: stepId + 1,
    scene: null,
    fixedShare: Array.from({ length: options.frames / facts.framesPerLatent }, () => 0),
    view: 'preview',
    failure: null,
    status: `Generating ${options.frames} frames.`,
  };
}

/** Back to rest; a clip that was made earlier is shown again. */
function idleOf({ clip }: PageState): Partial<PageState> {
  return { generation: 'idle', progress: null, view: clip ? 'clip' : 'preview' };
}

function takeEvent(
  { store, held }: PageContext,
  run: Run,
  event: GenerationEvent,
  decodePace: number | null,
): void {
  const state = store.getState();
  if (event.type === 'scene') {
    store.setState({ scene: offeredOf(state.facts.traits ?? [], event.scene) });
  } else if (event.type === 'step') {
    const { phase, step, steps, milliseconds } = event.summary;
    run.stepTimes.push(milliseconds);
    const recent = run.stepTimes.slice(-RECENT_STEPS);
    // The middle one: a clip's first guided step is several times as long as the others.
    const usual = recent.toSorted((a, b) => a - b)[Math.floor(recent.length / 2)] ?? 0;
    const ahead = (steps - step) * usual + (decodePace ?? 0) * run.options.frames;
    held.step = event.summary;
    store.setState({
      progress: { phase, step, steps, millisecondsLeft: ahead, decoded: null },
      stepId: state.stepId + 1,
      fixedShare: fixedShareOf(event.summary),
      millisecondsPerStep: mean(run.stepTimes),
    });
  } else if (event.type === 'decodeProgress') {
    const { framesPerLatent } = state.facts;
    const decoded = { done: event.done * framesPerLatent, total: event.total * framesPerLatent };
    store.setState({
      generation: 'decoding',
      progress: state.progress && {
        ...state.progress,
        decoded,
        millisecondsLeft: decodePace === null ? null : (decoded.total - decoded.done) * decodePace,
      },
    });
  } else {
    const { frames, width, height, frameRate } = event.clip;
    const { flops, milliseconds } = event;
    held.clip = event.clip;
    store.setState({
      pace: flops !== null && flops >= TELLING_FLOPS ? flops / milliseconds : state.pace,
      generation: 'idle',
      progress: null,
      view: 'clip',
      clip: {
        id: (state.clip?.id ?? 0) + 1,
        model: state.model?.name ?? 'clip',
        seed: run.options.seed,
        frames,
        width,
        height,
        frameRate,
        scene: state.scene,
      },
      status: `${frames} frames in ${duration(milliseconds)}.`,
    });
  }
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / Math.max(1, values.length);
}
