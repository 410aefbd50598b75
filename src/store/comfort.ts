/**
 * How long a clip a device makes in comfort: the default of the Length slider, and nothing else.
 */
import type { BackendName } from '../worker/protocol';

/** Frames. On two CPU cores with wasm, 32 frames take well under half a minute. */
const COMFORTABLE_FRAMES: Readonly<Record<BackendName, number>> = { webgpu: 64, wasm: 32, cpu: 16 };

export function comfortableFrames(backend: BackendName | undefined): number {
  return COMFORTABLE_FRAMES[backend ?? 'wasm'];
}
