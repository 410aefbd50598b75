/** The kinds of hostile files by name, with how many mutants of each the default run makes. */
export const RUNS = {
  'torch.save, zip': 4000,
  'torch.save, legacy': 6000,
  'pickles of random instructions, with bombs': 4000,
  'large bombs': 80,
  'safetensors: bytes': 2000,
  'safetensors: headers that lie': 2000,
  'whole models, through the conversion': 500,
  'manifests: bytes that were changed never pass': 1000,
  'manifests: rewritten and hashed anew, they stay within their shards': 1200,
  'shards that were changed never pass': 300,
} as const;

/** What must be noticed: for the test of the test. */
export const FAILURES = [
  'it rounds in a circle',
  'it fills the heap',
  'it throws what nobody expects',
  'it allocates five times the file',
] as const;

export type KindName = keyof typeof RUNS | (typeof FAILURES)[number];
