/**
 * Contenders that have a WebGPU device of their own (onnxruntime-web): their memory is what their buffers take, seen
 * where devices make and destroy them. Other contenders must not run at the same time.
 */
import type { Opened } from './contest';

interface Meter {
  live: number;
  most: number;
}

let meter: Meter | undefined;

/** Counts from the first call on; undefined where there is no WebGPU. */
function bufferMeter(): Meter | undefined {
  if (meter || typeof GPUDevice === 'undefined' || typeof GPUBuffer === 'undefined') return meter;
  const counted: Meter = { live: 0, most: 0 };
  const { createBuffer } = GPUDevice.prototype;
  const { destroy } = GPUBuffer.prototype;
  const sizes = new WeakMap<GPUBuffer, number>();
  GPUDevice.prototype.createBuffer = function (descriptor) {
    const buffer = createBuffer.call(this, descriptor);
    sizes.set(buffer, descriptor.size);
    counted.live += descriptor.size;
    counted.most = Math.max(counted.most, counted.live);
    return buffer;
  };
  GPUBuffer.prototype.destroy = function () {
    counted.live -= sizes.get(this) ?? 0;
    sizes.delete(this);
    return destroy.call(this);
  };
  meter = counted;
  return meter;
}

type Work = Pick<Opened, 'run' | 'note' | 'dispose'>;

/** Opens by `open`; on WebGPU its buffers are counted, elsewhere its memory stays unknown. */
export async function openBuffers(provider: 'wasm' | 'webgpu', open: () => Promise<Work>): Promise<Opened> {
  const buffers = provider === 'webgpu' ? bufferMeter() : undefined;
  const before = buffers?.live ?? 0;
  const work = await open();
  if (!buffers) return { ...work, weightBytes: null };
  let weightBytes = buffers.live - before;
  let most: number | null = null;
  return {
    ...work,
    get weightBytes() {
      return weightBytes;
    },
    run: async () => {
      if (most !== null) return work.run();
      const start = buffers.live;
      buffers.most = start;
      const output = await work.run();
      most = buffers.most - start;
      weightBytes = start - before;
      return output;
    },
    activationBytes: () => most,
  };
}
