import { CancellationScope, condition, log } from '@temporalio/workflow';
import type { Change, ProjectionBatch, RunChange, StepChange } from '../../../domain/neosyntis/projection.ts';
import { RECORDED_STEPS_LIMIT } from '../../../domain/neosyntis/runs.ts';
import { byteLength } from '../../../domain/neosyntis/shown.ts';
import type { Json } from '../../../domain/wire.ts';

/** Changes and bytes that one batch carries at most; a Temporal payload holds 2 MB. */
const BATCH_CHANGES = 500;
const BATCH_BYTES = 800_000;

/**
 * Collects what happens in a run and hands it on in order, one batch in flight at a time, whenever the run is
 * about to wait. What is still here when the run ends goes out with its end: pure steps cost nothing of their own.
 */
export function createRecorder(runId: string, project: (batch: ProjectionBatch) => Promise<void>) {
  let pending: Change[] = [];
  let next = 1;
  let progress = 0;
  let steps = 0;
  let closed = false;
  let wanted = false;

  function take(): ProjectionBatch {
    let bytes = 0;
    let count = 0;
    while (count < pending.length && count < BATCH_CHANGES && (count === 0 || bytes < BATCH_BYTES))
      bytes += byteLength(pending[count++] as unknown as Json); // a change is JSON
    const changes = pending.slice(0, count);
    pending = pending.slice(count);
    const from = next;
    next += changes.length;
    return { runId, from, changes, progress };
  }

  async function pump(): Promise<void> {
    for (;;) {
      await condition(() => closed || (wanted && pending.length > 0));
      if (closed) return;
      wanted = pending.length > BATCH_CHANGES;
      const batch = take();
      await project(batch).catch((error: unknown) => {
        // Only what can never be stored is refused; the run goes on and its end is still told.
        log.error('a batch of changes was refused', { error, from: batch.from });
      });
    }
  }
  // A run that is cancelled still says so.
  const pumping = CancellationScope.nonCancellable(pump);

  return {
    /** Whether a new step still gets a row of its own. */
    admit: (): boolean => ++steps <= RECORDED_STEPS_LIMIT,
    step: (step: StepChange) => void pending.push({ step }),
    run: (run: RunChange) => void pending.push({ run }),
    /** The run is about to wait for something: what happened so far should be seen meanwhile. */
    flush() {
      wanted = true;
    },
    /** From 0 to 1; it never goes back. */
    progressTo(share: number) {
      progress = Math.max(progress, Math.min(99, Math.round(share * 1000) / 10));
    },
    /** The run is completed. */
    finished() {
      progress = 100;
    },
    /** Waits for what is in flight, sends all but the last batch, and gives that one to the caller. */
    async drain(): Promise<ProjectionBatch> {
      closed = true;
      await pumping;
      let batch = take();
      while (pending.length > 0) {
        await project(batch);
        batch = take();
      }
      return batch;
    },
  };
}

export type Recorder = ReturnType<typeof createRecorder>;
