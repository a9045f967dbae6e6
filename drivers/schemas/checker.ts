import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import type { Json } from '../../domain/wire.ts';

/** A place in the value, as a JSON pointer, and what is wrong there. */
export interface Mismatch {
  path: string;
  message: string;
}

/** The places that do not fit, the first of them; or why it cannot be told. */
export type CheckResult = { mismatches: Mismatch[] } | { problem: string };

export interface SchemaChecker {
  /** Checks a value against somebody's JSON Schema. Never throws for the schema's fault. */
  check(question: { schema: unknown; value: Json }): Promise<CheckResult>;
}

const LIMIT_MS = 1_000;
const LIMIT_MB = 64;
/** Threads at once; who comes then is asked to come again. */
const AT_ONCE = 4;

/** Each check in a thread of its own, which is ended when it takes too long: patterns and branches may. */
export function createSchemaChecker(): SchemaChecker {
  let running = 0;
  return {
    async check(question) {
      if (running >= AT_ONCE) return { problem: 'too many are being checked just now; try again' };
      running++;
      const thread = new Worker(new URL('./thread.ts', import.meta.url), {
        resourceLimits: { maxOldGenerationSizeMb: LIMIT_MB },
      });
      try {
        await once(thread, 'message'); // it is ready: starting is not the check's time
        thread.postMessage(question);
        const [result] = await once(thread, 'message', { signal: AbortSignal.timeout(LIMIT_MS) });
        return result as CheckResult; // thread.ts answers with one
      } catch {
        return { problem: `checking took more than ${LIMIT_MS} ms or ${LIMIT_MB} MiB, the limits` };
      } finally {
        running--;
        await thread.terminate();
      }
    },
  };
}
