import { type Part, type PartSpec, type SuperviseDeps, supervise } from './child/supervise.ts';
import type { PartName } from './events.ts';

/**
 * Those that use the others stop before them: the workers say goodbye over the bus, which is in the API.
 * What is not done within its time is killed, so that all of it is over within 10 s.
 */
const STOP_WITHIN_MS = 9_500;
const stopOrder: { names: PartName[]; withinMs: number }[] = [
  { names: ['platform', 'host'], withinMs: 4_500 },
  { names: ['api'], withinMs: 2_500 },
  { names: ['temporal', 'postgres'], withinMs: STOP_WITHIN_MS },
];

/** The parts of one stack: started one by one, given up together, stopped in order. */
export function createPartList(deps: SuperviseDeps) {
  const given = new AbortController();
  const { signal } = given;
  const parts = new Map<PartName, Part>();
  const work: Promise<unknown>[] = [];
  const givenUp = new Promise<never>((_resolve, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  });
  givenUp.catch(() => {}); // most stacks are never given up

  return {
    /** Aborted when the start is given up or the stack stops. */
    signal,
    start(spec: PartSpec): Part {
      signal.throwIfAborted();
      const part = supervise(spec, deps);
      parts.set(spec.name, part);
      return part;
    },
    /** Waits for all of these, unless the start is given up; the first that fails gives up the others. */
    async all<T extends readonly unknown[]>(tasks: { [K in keyof T]: Promise<T[K]> }): Promise<T> {
      work.push(...tasks);
      return Promise.race([Promise.all(tasks) as Promise<unknown> as Promise<T>, givenUp]); // all keeps the tuple
    },
    get(name: PartName): Part {
      const part = parts.get(name);
      if (!part) throw new Error(`${name} is not a part of this stack: it runs elsewhere`);
      return part;
    },
    giveUp(reason: unknown): void {
      given.abort(reason);
    },
    async stop(): Promise<void> {
      const started = Date.now();
      given.abort(new Error('stopped'));
      for (const { names, withinMs } of stopOrder) {
        const running = names.flatMap((name) => parts.get(name) ?? []);
        if (running.length > 0) deps.report({ type: 'stopping', parts: running.map((part) => part.name) });
        const leftMs = STOP_WITHIN_MS - (Date.now() - started);
        await Promise.all(running.map((part) => part.stop(Math.min(withinMs, leftMs))));
      }
      await Promise.allSettled(work);
      if (parts.size > 0) deps.report({ type: 'stopped', ms: Date.now() - started });
    },
    /** Kills every part at once; `stop` then has nothing to wait for. */
    kill(): void {
      given.abort(new Error('stopped'));
      for (const part of parts.values()) part.forceStop();
    },
  };
}

export type PartList = ReturnType<typeof createPartList>;
