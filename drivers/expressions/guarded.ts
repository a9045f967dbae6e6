import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import type { GuardedExpression, GuardedResult, ThreadAnswer } from '../../domain/neosyntis/guarded.ts';

export interface GuardedEvaluator {
  /** Evaluates jq that may take long; ends it after its time or memory. Never throws for an expression's fault. */
  evaluate(expression: GuardedExpression): Promise<GuardedResult>;
  close(): Promise<void>;
}

const LIMIT_MS = 1_000;
const LIMIT_MB = 256;
const RESULT_BYTES = 1024 * 1024;

/**
 * jq in threads of their own, which can be ended from outside: WebAssembly cannot be interrupted. An idle
 * thread is kept for the next expression; one that was ended is replaced when it is needed.
 */
export function createGuardedEvaluator({ threads = 2 } = {}): GuardedEvaluator {
  const idle: Worker[] = [];
  const waiting: ((worker: Worker) => void)[] = [];
  let count = 0;

  async function acquire(): Promise<Worker> {
    const worker = idle.pop();
    if (worker) return worker;
    if (count < threads) return start();
    return new Promise((resolve) => waiting.push(resolve));
  }

  async function start(): Promise<Worker> {
    count++;
    const worker = new Worker(new URL('./guarded-thread.ts', import.meta.url), {
      resourceLimits: { maxOldGenerationSizeMb: LIMIT_MB },
    });
    worker.unref();
    // One that fails gives no answer, which `ask` notices.
    worker.on('error', () => {});
    // Loading jq is not the expression's time.
    try {
      await once(worker, 'message');
    } catch (error) {
      count--;
      throw new Error('a thread for expressions could not start', { cause: error });
    }
    return worker;
  }

  function release(worker: Worker) {
    const next = waiting.shift();
    if (next) next(worker);
    else idle.push(worker);
  }

  async function replace(worker: Worker) {
    count--;
    await worker.terminate();
    const next = waiting.shift();
    if (next) next(await start());
  }

  return {
    async evaluate(expression) {
      const worker = await acquire();
      const result = await ask(worker, expression);
      if (result === 'ended') {
        await replace(worker);
        return { problem: `it took more than ${LIMIT_MS} ms or ${LIMIT_MB} MiB, the limits` };
      }
      const { fatal, ...answer } = result;
      if (fatal) await replace(worker);
      else release(worker);
      return answer;
    },
    async close() {
      await Promise.all(idle.splice(0).map((worker) => worker.terminate()));
    },
  };
}

/** Never rejects: a thread that ends, whatever for, has no answer. */
async function ask(worker: Worker, expression: GuardedExpression): Promise<ThreadAnswer | 'ended'> {
  worker.postMessage({ ...expression, limitBytes: RESULT_BYTES });
  try {
    const [result] = await once(worker, 'message', { signal: AbortSignal.timeout(LIMIT_MS) });
    return result as ThreadAnswer; // guarded-thread.ts answers with one
  } catch {
    return 'ended';
  }
}
