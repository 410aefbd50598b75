/**
 * Figures and sentences as the visitor reads them. Pure functions; units in, text out.
 */
import type { Scene } from '../config/scene';
import type { BackendSummary, MemoryFigures } from '../worker/protocol';

/** A size with its unit, e.g. `12.9 MB`, `47.4 kB`. */
export function size(bytes: number): string {
  const [unit, name] = unitOf(bytes);
  return `${(bytes / unit).toFixed(1)} ${name}`;
}

/** Two sizes in the larger one's unit, e.g. `6.1 of 12.9 MB`. */
export function partOf(bytes: number, total: number): string {
  return `${(bytes / unitOf(total)[0]).toFixed(1)} of ${size(total)}`;
}

function unitOf(bytes: number): readonly [unit: number, name: string] {
  if (bytes >= 1e9) return [1e9, 'GB'];
  return bytes < 100_000 ? [1e3, 'kB'] : [1e6, 'MB'];
}

/** A count with its unit: `10.0 M`, `12 k`. */
export function count(parameters: number): string {
  return parameters < 100_000 ? `${Math.round(parameters / 1e3)} k` : `${(parameters / 1e6).toFixed(1)} M`;
}

/** `40.0 MB of weights, 61.3 MB in all at 64 frames, of 3.9 GB`. */
export function memoryWords({ weights, peak, peakFrames, limit }: MemoryFigures): string {
  const room = limit === null ? '; how much there is, browsers do not tell' : `, of ${size(limit)}`;
  return `${size(weights)} of weights, ${size(peak)} in all at ${peakFrames} frames${room}`;
}

/** A duration as one reads it: `0.6 s`, `14 s`, `2 min 5 s`. */
export function duration(milliseconds: number): string {
  const seconds = milliseconds / 1000;
  if (seconds < 0.095) return `${Math.max(1, Math.round(milliseconds))} ms`;
  if (seconds < 9.95) return `${seconds.toFixed(1)} s`;
  if (seconds < 59.5) return `${Math.round(seconds)} s`;
  const whole = Math.round(seconds);
  return `${Math.floor(whole / 60)} min ${whole % 60} s`;
}

/** Time left, in whole seconds so that it does not flicker. */
export function timeLeft(milliseconds: number): string {
  const seconds = Math.max(1, Math.round(milliseconds / 1000));
  return seconds < 60 ? `${seconds} s left` : `${Math.floor(seconds / 60)} min ${seconds % 60} s left`;
}

/** `sky-64`, `10.0 M parameters`, `wasm, 2 threads`, `0.6 s a step`: as much of it as is known. */
export function machineParts(
  model: { readonly name: string; readonly parameters: number } | null,
  backend: BackendSummary | null,
  millisecondsPerStep: number | null,
): string[] {
  const parts: string[] = [];
  if (model) parts.push(model.name, `${count(model.parameters)} parameters`);
  if (backend) parts.push(backendWords(backend));
  if (millisecondsPerStep !== null) parts.push(`${duration(millisecondsPerStep)} a step`);
  return parts;
}

function backendWords({ backend, threads, adapter }: BackendSummary): string {
  if (backend === 'wasm') return `wasm, ${threads} ${threads === 1 ? 'thread' : 'threads'}`;
  return adapter ? `${backend}, ${adapter}` : backend;
}

/** `hour sunset · clouds few · water · no moon`. */
export function sceneWords(scene: Scene): string {
  const words = { yes: (name: string) => name, no: (name: string) => `no ${name}` };
  return Object.entries(scene)
    .map(([name, value]) => (value === 'yes' || value === 'no' ? words[value](name) : `${name} ${value}`))
    .join(' · ');
}

/** The same of a finished clip: what it has not goes without saying. */
export function clipWords(scene: Scene): string {
  return sceneWords(Object.fromEntries(Object.entries(scene).filter(([, value]) => value !== 'no')));
}

/** Tells model, seed and length. */
export function fileName(model: string, seed: number, frames: number, extension: string): string {
  const safe = model.replaceAll(/[^\w.-]+/g, '-') || 'clip';
  return `${safe}-seed-${seed}-${frames}-frames.${extension}`;
}
