import type { Recorder } from './recorder.ts';

/** Tells whether a run does something, or only waits for people: then its status is `waiting`. */
export function createPresence(recorder: Pick<Recorder, 'run' | 'flush'>, startedAt: string) {
  /** Steps that are under way, and those of them that wait for somebody. */
  let busy = 0;
  let asking = 0;
  let told: 'running' | 'waiting' = 'running';

  function tell(): void {
    const status = asking > 0 && asking === busy ? 'waiting' : 'running';
    if (status === told) return;
    told = status;
    recorder.run({ status, startedAt });
    recorder.flush();
  }

  const counted =
    (count: (by: number) => void) =>
    async <T>(work: () => Promise<T>): Promise<T> => {
      count(1);
      tell();
      try {
        return await work();
      } finally {
        count(-1);
        tell();
      }
    };

  return {
    /** A step that has no steps inside is under way. */
    during: counted((by) => {
      busy += by;
    }),
    /** It waits for somebody. */
    asking: counted((by) => {
      asking += by;
    }),
  };
}

export type Presence = ReturnType<typeof createPresence>;
