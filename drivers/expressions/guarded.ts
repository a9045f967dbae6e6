import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import type {
  CheckResult,
  ExpressionQuestion,
  GuardedCheck,
  GuardedExpression,
  GuardedResult,
  ThreadAnswer,
  ThreadQuestion,
} from '../../domain/neosyntis/guarded.ts';
import { EXPRESSION_LIMIT_BYTES } from '../../domain/neosyntis/runs.ts';

export interface GuardedEvaluator {
  /**
   * Evaluates jq that may take long; ends it after its time or memory. Never throws for an expression's fault, only
   * for the signal's: who does not wait any more gives up the place in the queue.
   */
  evaluate(expression: GuardedExpression, signal?: AbortSignal): Promise<GuardedResult>;
  /** Checks a value against a JSON Schema, within the same limits and as safe. */
  check(check: GuardedCheck, signal?: AbortSignal): Promise<CheckResult>;
  close(): Promise<void>;
}

/** Of the thread's own time. jq reads a few MiB a second, so that much data has more; a check of a schema has the same. */
const LIMIT_MS = 1_000;
const LIMIT_MS_PER_MIB = 500;
const LIMIT_MB = 256;

/** A busy machine gives a thread its time late; nobody waits longer than this for an answer. */
const PATIENCE_MS = 8_000;

/**
 * jq, and checks of schemas, in threads of their own, which can be ended from outside: WebAssembly cannot be interrupted. An idle
 * thread is kept for the next expression; one that was ended is replaced when it is needed.
 */
export function createGuardedEvaluator({ threads = 2 } = {}): GuardedEvaluator {
  const idle: Worker[] = [];
  const waiting = new Set<(worker: Worker | Promise<Worker>) => void>();
  let count = 0;

  async function acquire(signal: AbortSignal | undefined): Promise<Worker> {
    signal?.throwIfAborted();
    const worker = idle.pop();
    if (worker) return worker;
    if (count < threads) return start();
    return new Promise((resolve, reject) => {
      const take = (worker: Worker | Promise<Worker>) => {
        signal?.removeEventListener('abort', leave);
        resolve(worker);
      };
      const leave = () => {
        waiting.delete(take);
        reject(signal?.reason);
      };
      waiting.add(take);
      signal?.addEventListener('abort', leave, { once: true });
    });
  }

  /** Who has waited longest. */
  function next(): ((worker: Worker | Promise<Worker>) => void) | undefined {
    const [first] = waiting;
    if (first) waiting.delete(first);
    return first;
  }

  async function start(): Promise<Worker> {
    count++;
    const worker = new Worker(new URL('./guarded-thread.ts', import.meta.url), {
      resourceLimits: { maxOldGenerationSizeMb: LIMIT_MB },
    });
    worker.unref();
    // One that fails gives no answer, which `answerOf` notices.
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
    const take = next();
    if (take) take(worker);
    else idle.push(worker);
  }

  async function replace(worker: Worker) {
    count--;
    await worker.terminate();
    // One that cannot start is the trouble of who was to have it.
    next()?.(start());
  }

  async function answered(ask: () => ThreadQuestion, signal: AbortSignal | undefined) {
    const question = written(ask);
    if (!question) return { problem: 'its data is nested too deep' };
    const limitMs = limitOf(question);
    const worker = await acquire(signal);
    const result = await answerOf(worker, question, limitMs);
    if (result === 'ended') {
      await replace(worker);
      return { problem: `it took more than ${limitMs} ms or ${LIMIT_MB} MiB, the limits` };
    }
    const { fatal, ...answer } = result;
    if (fatal) await replace(worker);
    else release(worker);
    return answer;
  }

  return {
    // The thread answers each kind of question with the result of that kind.
    evaluate: async (expression, signal) =>
      (await answered(() => questionOf(expression), signal)) as GuardedResult,
    check: async ({ schema, value }, signal) =>
      (await answered(
        () => ({ schema: JSON.stringify(schema), value: JSON.stringify(value) }),
        signal,
      )) as CheckResult,
    async close() {
      await Promise.all(idle.splice(0).map((worker) => worker.terminate()));
    },
  };
}

/** Nothing when data is nested so deep that it cannot be written as JSON. */
function written(question: () => ThreadQuestion): ThreadQuestion | undefined {
  try {
    return question();
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

/** Never rejects: a thread that ends, whatever for, has no answer. */
async function answerOf(
  worker: Worker,
  question: ThreadQuestion,
  limitMs: number,
): Promise<ThreadAnswer | 'ended'> {
  const over = new AbortController();
  const answer = once(worker, 'message', { signal: over.signal }).then(
    ([result]) => result as ThreadAnswer, // guarded-thread.ts answers with one
    () => 'ended' as const,
  );
  void usedUp(worker, limitMs, over.signal).then(() => over.abort());
  worker.postMessage(question);
  const result = await answer;
  over.abort();
  return result;
}

/** Resolves when the thread has worked for so long since now, or patience is over; or when nobody waits any more. */
async function usedUp(worker: Worker, limitMs: number, signal: AbortSignal): Promise<void> {
  const endsAt = performance.now() + Math.max(PATIENCE_MS, limitMs);
  const patience = delay(Math.max(PATIENCE_MS, limitMs), undefined, { signal, ref: false }).catch(() => {});
  try {
    const before = await worker.cpuUsage();
    for (let leftMs = limitMs; leftMs > 0 && performance.now() < endsAt; ) {
      await delay(Math.max(50, leftMs), undefined, { signal, ref: false });
      // A thread that does not even say how long it has worked gets no more than the patience.
      const used = await Promise.race([worker.cpuUsage(before), patience]);
      if (!used) return;
      leftMs = limitMs - (used.user + used.system) / 1000;
    }
  } catch {
    // Answered, or the thread has ended: `answerOf` knows.
  }
}

const questionOf = ({ source, input, variables }: GuardedExpression): ExpressionQuestion => ({
  source,
  input: JSON.stringify(input),
  variables: Object.fromEntries(
    Object.entries(variables).map(([name, value]) => [name, JSON.stringify(value)]),
  ),
  limitBytes: EXPRESSION_LIMIT_BYTES,
});

/** @returns whole milliseconds: 1,000 for little data. */
function limitOf(question: ThreadQuestion): number {
  const texts =
    'schema' in question
      ? [question.schema, question.value]
      : [question.input, ...Object.values(question.variables)];
  const length = texts.reduce((sum, text) => sum + text.length, 0);
  return LIMIT_MS + LIMIT_MS_PER_MIB * Math.floor(length / 2 ** 20);
}
