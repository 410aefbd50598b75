/**
 * Every message between the page and the worker, and nothing else: one discriminated union each way,
 * told apart by `type`. Large arrays travel as transferables. Runs on both sides; imports only types.
 */
import type { ComparisonEvent, ComparisonOptions, FamilySummaries } from '../config/comparison';
import type { GenerationOptions } from '../config/generation';
import type { ModelConfig } from '../config/model';

export type BackendName = 'webgpu' | 'wasm' | 'cpu';
/** What a visitor may ask the engine to run on; what is left out is chosen. */
export interface BackendWish {
  readonly backend?: BackendName;
  /** Of wasm, from 1 on. */
  readonly threads?: number;
}

export type ClipFormat = 'mp4' | 'webm' | 'gif';

/** Page → worker. `job` is chosen by the page and names one load, generation, comparison or encoding. */
export type Request =
  /** Picks a backend (`wish` overrides the choice), then fetches, verifies and uploads the weights. */
  | { type: 'load'; job: number; manifestUrl: string; wish: BackendWish }
  | { type: 'generate'; job: number; options: GenerationOptions }
  /** MeBT beside the other families of transformers, over the loaded model's weights. Waits for its turn. */
  | { type: 'compare'; job: number; options: ComparisonOptions }
  /** Stops the named job after the step under way; answered by `cancelled`. */
  | { type: 'cancel'; job: number }
  /** `frames` RGBA8, [T, H, W, 4]; copied to the worker, so the page keeps its own. */
  | { type: 'encode'; job: number; format: ClipFormat; clip: ClipData }
  /** Which formats this browser can write. */
  | { type: 'formats'; job: number };

/** A finished clip. `pixels` is RGBA8, [frames, height, width, 4]. */
export interface ClipData {
  readonly pixels: Uint8ClampedArray<ArrayBuffer>;
  readonly frames: number;
  readonly width: number;
  readonly height: number;
  readonly frameRate: number;
}

/** What the page may know about a loaded model; no tensors. */
export interface ModelSummary {
  readonly name: string;
  readonly license: string;
  /** Number of weights. */
  readonly parameters: number;
  /** Bytes of all shards. */
  readonly bytes: number;
  readonly config: ModelConfig;
  /** Frames, rows, columns of one token. */
  readonly downsample: readonly [number, number, number];
  /** How to paint a token before the decoder runs. */
  readonly preview: PreviewTable;
}

/** One small RGB patch a code: RGB8, [codes, patch, patch, 3]. */
export interface PreviewTable {
  readonly patch: number;
  readonly pixels: Uint8Array<ArrayBuffer>;
}

export interface BackendSummary {
  readonly backend: BackendName;
  /** One sentence: what was chosen and why, e.g. "No hardware WebGPU adapter, so WebAssembly is used." */
  readonly reason: string;
  /** wasm threads; 1 elsewhere. */
  readonly threads: number;
  /** Name of the adapter, where there is one. */
  readonly adapter?: string;
}

/** The token grid after a step. */
export interface StepSummary {
  readonly phase: 'bootstrap' | 'draft' | 'revise';
  /** 1-based, over all phases. */
  readonly step: number;
  readonly steps: number;
  /** [N] code of every position; meaningless where `fixed` is 0. */
  readonly tokens: Int32Array<ArrayBuffer>;
  /** [N] 1 where the token is known and will be context of the next step. */
  readonly fixed: Uint8Array<ArrayBuffer>;
  /** T'×H'×W' of this clip. */
  readonly grid: readonly [number, number, number];
  /** Duration of this step, prediction and sampling, in ms. */
  readonly milliseconds: number;
}

export type ErrorCode =
  | 'no-backend'
  | 'network'
  | 'not-a-manifest'
  | 'manifest-version'
  | 'shard-corrupt'
  | 'out-of-memory'
  | 'device-lost'
  | 'encoding-failed'
  | 'invalid-options'
  | 'internal';

/** Worker → page. Every job ends in exactly one of loaded, clip, compared, encoded, formats, cancelled or failed. */
export type Response =
  | { type: 'backend'; job: number; backend: BackendSummary }
  | { type: 'loadProgress'; job: number; loadedBytes: number; totalBytes: number; fromCache: boolean }
  | { type: 'loaded'; job: number; model: ModelSummary }
  | { type: 'step'; job: number; summary: StepSummary }
  /** The decoder's progress, in latent frames. */
  | { type: 'decodeProgress'; job: number; done: number; total: number }
  | { type: 'clip'; job: number; clip: ClipData; milliseconds: number }
  | { type: 'comparing'; job: number; event: Exclude<ComparisonEvent, { type: 'summary' }> }
  | { type: 'compared'; job: number; families: FamilySummaries }
  | { type: 'encodeProgress'; job: number; frame: number; frames: number }
  | { type: 'encoded'; job: number; file: Blob; extension: string; codec: string }
  | { type: 'formats'; job: number; formats: readonly ClipFormat[] }
  | { type: 'cancelled'; job: number }
  /** `message` is for people: what happened and what to do. `retry`: the same request may succeed. */
  | { type: 'failed'; job: number; code: ErrorCode; message: string; retry: boolean };
