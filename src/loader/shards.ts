/**
 * Fetches one shard, streaming, and hands it over only when its length and its SHA-256 are what the manifest says.
 * Knows nothing of the cache or of tensors.
 */
import { LoadError } from './errors';
import type { ShardEntry } from './manifest';
import { sha256 } from './sha256';

export type Fetch = (url: string, init: RequestInit) => Promise<Response>;

export interface FetchShardOptions {
  readonly fetch: Fetch;
  readonly signal?: AbortSignal | undefined;
  /** Bytes of this shard so far; falls back to 0 when a damaged shard is fetched again. */
  readonly onBytes?: (bytes: number) => void;
}

/**
 * A failure is tried once more past the HTTP cache, which may hold an interrupted download or an error page.
 * @throws LoadError `network` or `shard-corrupt`; the signal's reason once aborted
 */
export async function fetchShard(
  url: string,
  shard: ShardEntry,
  options: FetchShardOptions,
): Promise<Uint8Array<ArrayBuffer>> {
  try {
    return await attempt(url, shard, options, 'default');
  } catch (error) {
    if (!(error instanceof LoadError)) throw error;
    options.onBytes?.(0);
    return attempt(url, shard, options, 'reload');
  }
}

async function attempt(
  url: string,
  shard: ShardEntry,
  options: FetchShardOptions,
  cache: RequestCache,
): Promise<Uint8Array<ArrayBuffer>> {
  const response = await request(url, { signal: options.signal ?? null, cache }, options.fetch);
  if (/^text\/html\b/i.test(response.headers.get('content-type') ?? '')) {
    await response.body?.cancel().catch(() => undefined);
    throw corrupt(shard, 'the server sent a web page in its place');
  }
  const bytes = await readBody(response, shard, options);
  const hash = await sha256(bytes);
  if (hash !== shard.sha256) {
    throw corrupt(shard, `its SHA-256 is ${hash.slice(0, 12)}… and should be ${shard.sha256.slice(0, 12)}…`);
  }
  return bytes;
}

/** A response with a good status. @throws LoadError `network`; the signal's reason once aborted */
export async function request(url: string, init: RequestInit, fetch: Fetch): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(url, init);
  } catch (error) {
    if (error instanceof LoadError) throw error; // Of what stands in for a network.
    throw networkError(url, error, init.signal);
  }
  if (!response.ok) {
    await response.body?.cancel().catch(() => undefined);
    const message = `${url} could not be fetched: the server answered ${response.status} ${response.statusText}`;
    throw new LoadError(
      'network',
      `${message.trimEnd()}. Check that the weights are there, then try again.`,
      true,
    );
  }
  return response;
}

/** Aborting is not an error of the network: its reason passes through as it is. */
export function networkError(url: string, error: unknown, signal?: AbortSignal | null): unknown {
  if (signal?.aborted) return signal.reason;
  const message = `The connection failed while fetching ${url}. Check the network, then try again.`;
  return new LoadError('network', message, true, { cause: error });
}

function corrupt(shard: ShardEntry, what: string): LoadError {
  const advice = 'Nothing of it was kept. Try again; if it happens twice, the file on the server is damaged.';
  return new LoadError(
    'shard-corrupt',
    `The weights file ${shard.file} is damaged: ${what}. ${advice}`,
    true,
  );
}

/** Room for a body whose length nobody announces: a manifest may claim 2 GB for a file of nothing. */
const FIRST_BYTES = 1 << 20;

/** What the server says that the body has, unless it is compressed on the way. */
function announced(response: Response): number | undefined {
  const length = Number(response.headers.get('content-length') ?? Number.NaN);
  return response.headers.has('content-encoding') || !Number.isSafeInteger(length) || length < 0
    ? undefined
    : length;
}

async function readBody(
  response: Response,
  shard: ShardEntry,
  { signal, onBytes }: FetchShardOptions,
): Promise<Uint8Array<ArrayBuffer>> {
  const bytes = await collect(response, {
    most: shard.bytes,
    tooLong: () => corrupt(shard, `it is longer than the ${shard.bytes} bytes it should have`),
    url: response.url || shard.file,
    signal,
    onBytes,
  });
  if (bytes.length !== shard.bytes)
    throw corrupt(shard, `${bytes.length} bytes arrived and ${shard.bytes} were expected`);
  return bytes;
}

/** The official models' have 200 kB. */
const LARGEST_MANIFEST = 4 << 20;

/** @throws LoadError `network`, or `not-a-manifest` where there is far more than a manifest has; the signal's reason */
export async function readManifestText(
  response: Response,
  url: string,
  signal: AbortSignal | undefined,
): Promise<string> {
  const message = `What lies at ${url} is no weight manifest: it has more than ${LARGEST_MANIFEST} bytes. Check the address.`;
  const tooLong = () => new LoadError('not-a-manifest', message, false);
  const bytes = await collect(response, { most: LARGEST_MANIFEST, tooLong, url, signal });
  return new TextDecoder().decode(bytes);
}

interface CollectOptions {
  /** In bytes. */
  readonly most: number;
  readonly tooLong: () => LoadError;
  /** For messages. */
  readonly url: string;
  readonly signal?: AbortSignal | undefined;
  readonly onBytes?: ((bytes: number) => void) | undefined;
}

/** A body as it comes, in room that grows with it: no more than twice what has come is ever taken. */
async function collect(
  response: Response,
  { most, tooLong, url, signal, onBytes }: CollectOptions,
): Promise<Uint8Array<ArrayBuffer>> {
  let bytes = new Uint8Array(Math.min(most, announced(response) ?? FIRST_BYTES));
  const reader = response.body?.getReader();
  let filled = 0;
  while (reader) {
    const { done, value } = await reader.read().catch((error: unknown) => {
      throw networkError(url, error, signal);
    });
    if (done) break;
    if (filled + value.length > most) {
      await reader.cancel().catch(() => undefined);
      throw tooLong();
    }
    if (filled + value.length > bytes.length) {
      const longer = new Uint8Array(Math.min(most, Math.max(2 * bytes.length, filled + value.length)));
      longer.set(bytes);
      bytes = longer;
    }
    bytes.set(value, filled);
    filled += value.length;
    onBytes?.(filled);
  }
  return filled === bytes.length ? bytes : bytes.slice(0, filled);
}
