/**
 * Every message between the page and the worker, and nothing else: one discriminated union each way,
 * told apart by `type`. Large arrays travel as transferables. Runs on both sides; imports only types.
 */
import type { ComparisonEvent, ComparisonOptions, FamilySummaries } from '../config/comparison';
import type { GenerationOptions } from '../config/generation';
import type { BlockMode, Extent3, ModelConfig } from '../config/model';
import type { SamplingRecipe } from '../config/officialSampling';
import type { Scene } from '../config/scene';

export type BackendName = 'webgpu' | 'wasm' | 'cpu';
/** What a visitor may ask the engine to run on; what is left out is chosen. */
export interface BackendWish {
  readonly backend?: BackendName;
  /** Of wasm, from 1 on. */
  readonly threads?: number;
  /** false: WebGPU multiplies in float32 even where the graphics card has float16. */
  readonly float16?: boolean;
}

export type ClipFormat = 'mp4' | 'webm' | 'gif';

/** Page → worker. `job` is chosen by the page and names one piece of work. */
export type Request =
  /** Picks a backend (`wish` overrides the choice), which loads use then: for who chooses a model by it. */
  | { type: 'prepare'; job: number; wish: BackendWish }
  /** Picks a backend where there is none, then fetches, verifies and uploads the weights. */
  | { type: 'load'; job: number; manifestUrl: string; wish: BackendWish }
  | { type: 'generate'; job: number; options: GenerationOptions }
  /** MeBT beside the other families of transformers, over the loaded model's weights. Waits for its turn. */
  | { type: 'compare'; job: number; options: ComparisonOptions }
  /** Stops the named job after the step under way; answered by `cancelled`. */
  | { type: 'cancel'; job: number }
  /** `frames` RGBA8, [T, H, W, 4]; copied to the worker, so the page keeps its own. */
  | { type: 'encode'; job: number; format: ClipFormat; clip: ClipData }
  /** Which formats this browser can write. */
  | { type: 'formats'; job: number }
  /** What one or two checkpoints hold and would take; only names, shapes and settings are read. */
  | { type: 'inspect'; job: number; files: readonly File[]; wish: ConversionWish; device: Device | null }
  /** Converts and keeps them on this machine; beside a generation, and to be cancelled like one. */
  | { type: 'convert'; job: number; files: readonly File[]; wish: ConversionWish }
  /** What is kept here, after a look for leftovers, and what the page's own models at `ownUrls` are. */
  | { type: 'models'; job: number; ownUrls: readonly string[] }
  /** What a hosted model is: its manifest alone is fetched. */
  | { type: 'describe'; job: number; manifestUrl: string }
  | { type: 'removeModel'; job: number; hash: string }
  /** The report of a kept model's conversion. */
  | { type: 'modelReport'; job: number; hash: string };

export type Quantization = 'int8' | 'int4' | 'float16' | 'float32';

/** How checkpoints are to be converted. */
export interface ConversionWish {
  readonly quantization: Quantization;
  /** What the model is called; by its file when left out. */
  readonly name?: string;
  /** An SPDX identifier or a sentence; that it is not stated when left out. */
  readonly license?: string;
  readonly answers: ConversionAnswers;
}

/** A published recipe, or `general` for none of them. */
export type SamplingChoice = SamplingRecipe | 'general';

/** What a person says where the files do not. */
export interface ConversionAnswers {
  /** Frames, rows, columns that one token stands for. */
  readonly downsample?: Extent3;
  /** T'×H'×W' of the longest clip. */
  readonly grid?: Extent3;
  readonly heads?: number;
  /** One mode a block. */
  readonly modes?: readonly BlockMode[];
  /** Of a finished clip, per second. */
  readonly frameRate?: number;
  readonly sampling?: SamplingChoice;
}

/** Something that the files do not say. */
export interface ConversionNeed {
  readonly what: 'transformer' | 'tokenizer' | 'downsample' | 'grid' | 'heads' | 'modes';
  /** A sentence for the person who is asked. */
  readonly why: string;
  /** The official models' value, where the shapes allow it: to be confirmed. */
  readonly suggestion?: Extent3 | number | readonly BlockMode[];
}

/** What checkpoints come to. */
export type Inspection =
  /** Give these as answers, or files that hold them. */
  | { readonly kind: 'needs'; readonly needs: readonly ConversionNeed[] }
  | {
      readonly kind: 'ready';
      readonly facts: ModelFigures;
      /** Bytes by quantization. */
      readonly sizes: Readonly<Record<Quantization, number>>;
      /** By quantization; null where it is not known what the model will run on. */
      readonly memory: Readonly<Record<Quantization, MemoryFigures>> | null;
      /** The published recipe that the files ask for; `general` where they name no official data set. */
      readonly sampling: SamplingChoice;
      /** Tensors that the model needs and the files lack; with any of them it cannot be converted. */
      readonly missing: readonly string[];
      /** Every tensor used, skipped or missing, as text. */
      readonly report: string;
    };

/** A model as one chooses by it. */
export interface ModelFigures {
  readonly name: string;
  readonly license: string;
  readonly parameters: number;
  /** Frames, rows, columns of its longest clip, pixels. */
  readonly clip: Extent3;
}

/** What a model takes of the memory here, planned before it is loaded; bytes. */
export interface MemoryFigures {
  readonly weights: number;
  /** Weights and what a clip of `peakFrames` needs beside them. */
  readonly peak: number;
  readonly peakFrames: number;
  /** What there is; null where browsers do not tell, as of a graphics card. */
  readonly limit: number | null;
  /** Of the longest clip that fits; 0 where none does. */
  readonly frames: number;
  /** A sentence that says what would fit, where the model's own longest clip does not. */
  readonly problem: string | null;
}

/** What the plan depends on. */
export type Device = Pick<BackendSummary, 'backend' | 'bufferBytes'>;

/** A model that is at hand. */
export interface ModelEntry extends ModelFigures {
  /** Null before the engine has chosen what it runs on. */
  readonly memory: MemoryFigures | null;
  /** The manifest's. */
  readonly hash: string;
  readonly bytes: number;
  /** Floating-point operations for a second of video. */
  readonly flopsPerSecond: number;
}

/** What the browser says of the page's storage, in bytes. */
export interface StorageEstimate {
  readonly used: number;
  readonly quota: number;
}

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
  readonly memory: MemoryFigures | null;
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
  /** The adapter computes on the processor. */
  readonly software?: boolean;
  /** Most bytes of one buffer that a kernel sees, on WebGPU. */
  readonly bufferBytes?: number;
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
  | 'not-kept'
  | 'no-storage'
  | 'storage-full'
  | 'busy'
  | 'not-a-checkpoint'
  | 'does-not-fit'
  | 'out-of-memory'
  | 'device-lost'
  | 'encoding-failed'
  | 'invalid-options'
  | 'internal';

/**
 * Worker → page. Every job ends in exactly one of prepared, loaded, clip, compared, encoded, formats, inspected, converted, models,
 * described, modelRemoved, modelReport, cancelled or failed.
 */
export type Response =
  | { type: 'backend'; job: number; backend: BackendSummary }
  | { type: 'prepared'; job: number; backend: BackendSummary }
  | { type: 'loadProgress'; job: number; loadedBytes: number; totalBytes: number; fromCache: boolean }
  | { type: 'loaded'; job: number; model: ModelSummary }
  /** What the clip will be of; of models that are told, before the first step. */
  | { type: 'scene'; job: number; scene: Scene }
  | { type: 'step'; job: number; summary: StepSummary }
  /** The decoder's progress, in latent frames. */
  | { type: 'decodeProgress'; job: number; done: number; total: number }
  /** `flops`: what it computed; null where that is not counted. */
  | { type: 'clip'; job: number; clip: ClipData; milliseconds: number; flops: number | null }
  | { type: 'comparing'; job: number; event: Exclude<ComparisonEvent, { type: 'summary' }> }
  | { type: 'compared'; job: number; families: FamilySummaries }
  | { type: 'encodeProgress'; job: number; frame: number; frames: number }
  | { type: 'encoded'; job: number; file: Blob; extension: string; codec: string }
  | { type: 'formats'; job: number; formats: readonly ClipFormat[] }
  | { type: 'inspected'; job: number; inspection: Inspection }
  /** Bytes of the model that is being made. */
  | { type: 'convertProgress'; job: number; doneBytes: number; totalBytes: number }
  | { type: 'converted'; job: number; model: ModelEntry; report: string }
  /** `own`, as asked for: null where a manifest cannot be had; `storage` is, where the browser does not say. */
  | {
      type: 'models';
      job: number;
      own: readonly (ModelEntry | null)[];
      kept: readonly ModelEntry[];
      storage: StorageEstimate | null;
    }
  | { type: 'described'; job: number; model: ModelEntry }
  | { type: 'modelRemoved'; job: number; freedBytes: number }
  | { type: 'modelReport'; job: number; report: string }
  | { type: 'cancelled'; job: number }
  /** `message` is for people: what happened and what to do. `retry`: the same request may succeed. */
  | { type: 'failed'; job: number; code: ErrorCode; message: string; retry: boolean };
