import type { Masker } from './mask.ts';

/** Lines about a step come until shortly after its end. */
const KEPT_MS = 60_000;
const LIMIT = 1_000;

/** The secrets that a process has in its hands, so that its log can leave them out. */
export interface KnownSecrets {
  /** @returns what to call once they are not used any more. */
  use(masker: Masker): () => void;
  mask(line: string): string;
}

export function createKnownSecrets(): KnownSecrets {
  const known = new Set<Masker>();
  return {
    use(masker) {
      known.add(masker);
      // The oldest: it was used longest ago.
      for (const old of known.size > LIMIT ? [...known].slice(0, known.size - LIMIT) : []) known.delete(old);
      return () => void setTimeout(() => known.delete(masker), KEPT_MS).unref();
    },
    mask(line) {
      let masked = line;
      for (const masker of known) masked = masker.text(masked);
      return masked;
    },
  };
}
