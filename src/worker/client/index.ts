/** The page's side of the worker: promises and async iterators over the messages of `protocol.ts`. */
export { JobError, type WorkerLike } from './connection';
export {
  type EncodedClip,
  type EncodeRequest,
  EngineClient,
  type GenerationEvent,
  type LoadProgress,
  type LoadRequest,
} from './engine';
export { type ConvertRequest, LibraryClient, type ModelList } from './library';
