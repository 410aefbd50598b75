/**
 * What the page knows, as string unions and summaries: never tensors, never pixels (see held.ts).
 */
import type { ComparisonPoint, Family, FamilySummaries } from '../config/comparison';
import { defaultGenerationOptions, type GenerationOptions, type ModelFacts } from '../config/generation';
import type { Preset } from '../config/officialSampling';
import type { Scene } from '../config/scene';
import type { BackendSummary, ClipFormat, MemoryFigures, StepSummary } from '../worker/protocol';
import { comfortableFrames } from './comfort';
import { INITIAL_MODELS, type ModelsState } from './models';

export interface ModelLine {
  /** As the address names it. */
  readonly source: string;
  readonly name: string;
  readonly license: string;
  readonly parameters: number;
  /** T'×H'×W' of the longest clip. */
  readonly grid: readonly [number, number, number];
  /** Frames, rows, columns of one token. */
  readonly downsample: readonly [number, number, number];
  readonly frameRate: number;
  readonly memory: MemoryFigures | null;
  /** Recipes that were published for a model of these sizes. */
  readonly presets: readonly Preset[];
}

/** A finished clip; its pixels are in `held.clip`. */
export interface ClipLine {
  /** Counts up; a new id is a new clip. */
  readonly id: number;
  readonly model: string;
  readonly seed: number;
  readonly frames: number;
  readonly width: number;
  readonly height: number;
  readonly frameRate: number;
  /** What it is of; null where the model was told nothing. */
  readonly scene: Scene | null;
}

export interface Progress {
  readonly phase: StepSummary['phase'];
  /** 1-based; 0 before the first step has ended. */
  readonly step: number;
  readonly steps: number;
  /** Estimate of what is left, ms; null before there is a step to go by. */
  readonly millisecondsLeft: number | null;
  /** The decoder's progress, frames; null before it starts. */
  readonly decoded: { readonly done: number; readonly total: number } | null;
}

export interface Failure {
  readonly during: 'load' | 'generate' | 'encode';
  readonly message: string;
  readonly retry: boolean;
  /** A model that can be had instead of the one that cannot. */
  readonly instead?: string;
}

export interface ComparisonState {
  /** `waiting` for the engine, until the first measurement begins. */
  readonly run: 'idle' | 'waiting' | 'running' | 'failed';
  /** Of the newest run, in the order in which they were measured. */
  readonly points: readonly ComparisonPoint[];
  /** Null until a run has come to its end. */
  readonly families: FamilySummaries | null;
  /** What is being measured; `spent` is ms of the budget. */
  readonly measuring: { readonly family: Family; readonly tokens: number; readonly spent: number } | null;
  readonly message: string;
}

export interface PageState {
  readonly weights: 'loading' | 'ready' | 'failed';
  /** Null until the manifest has said how much there is. */
  readonly bytes: { readonly loaded: number; readonly total: number; readonly fromCache: boolean } | null;
  readonly model: ModelLine | null;
  readonly backend: BackendSummary | null;
  readonly generation: 'idle' | 'stepping' | 'decoding';
  readonly progress: Progress | null;
  /** Counts up with every step event; the grid is in `held.step`. */
  readonly stepId: number;
  /** What the newest generation is of; null where the model is told nothing. */
  readonly scene: Scene | null;
  /** Share of each latent frame that is fixed, 0–1, after the newest step. */
  readonly fixedShare: readonly number[];
  /** Mean over the newest generation, ms. */
  readonly millisecondsPerStep: number | null;
  /** Floating-point operations a millisecond of the newest clip, whichever model made it, on this backend. */
  readonly pace: number | null;
  readonly clip: ClipLine | null;
  /** What the window shows. */
  readonly view: 'preview' | 'clip';
  readonly playback: 'playing' | 'paused';
  readonly encoding: 'idle' | 'running';
  readonly encoded: { readonly frame: number; readonly frames: number } | null;
  readonly formats: readonly ClipFormat[];
  readonly format: ClipFormat;
  readonly facts: ModelFacts;
  readonly settings: GenerationOptions;
  /** The seed field as typed; may not be a seed. */
  readonly seedText: string;
  /** Sentences about what the visitor gave and could not be used. */
  readonly notices: readonly string[];
  readonly failure: Failure | null;
  readonly comparison: ComparisonState;
  /** The status line. */
  readonly status: string;
  readonly models: ModelsState;
}

/** What the sliders go by until the model is there. */
const PROVISIONAL_FACTS: ModelFacts = {
  maxFrames: 64,
  ownFrames: 64,
  framesPerLatent: 4,
  vocabulary: 1024,
  sampling: {},
  comfortableFrames: comfortableFrames(undefined),
};

export function initialState(seed: number, calm: boolean): PageState {
  return {
    weights: 'loading',
    bytes: null,
    model: null,
    backend: null,
    generation: 'idle',
    progress: null,
    stepId: 0,
    scene: null,
    fixedShare: [],
    millisecondsPerStep: null,
    pace: null,
    clip: null,
    view: 'preview',
    playback: calm ? 'paused' : 'playing',
    encoding: 'idle',
    encoded: null,
    formats: [],
    format: 'mp4',
    facts: PROVISIONAL_FACTS,
    settings: { ...defaultGenerationOptions(PROVISIONAL_FACTS), seed },
    seedText: String(seed),
    notices: [],
    failure: null,
    comparison: { run: 'idle', points: [], families: null, measuring: null, message: '' },
    status: 'Looking for the weights.',
    models: INITIAL_MODELS,
  };
}

/** Share of each latent frame that is fixed. */
export function fixedShareOf({ fixed, grid: [frames, rows, columns] }: StepSummary): number[] {
  const area = rows * columns;
  return Array.from({ length: frames }, (_, t) => {
    let count = 0;
    for (let n = t * area; n < (t + 1) * area; n++) count += fixed[n] ?? 0;
    return count / area;
  });
}
