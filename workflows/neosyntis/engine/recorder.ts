import { CancellationScope, condition, log } from '@temporalio/workflow';
import type {
  Change,
  ProjectionBatch,
  RunChange,
  StepBlobs,
  StepChange,
} from '../../../domain/neosyntis/projection.ts';
import { RECORDED_STEPS_LIMIT } from '../../../domain/neosyntis/runs.ts';
import { byteLength } from '../../../domain/neosyntis/shown.ts';
import type { Json } from '../../../domain/wire.ts';

/** Changes and bytes that one batch carries at most; a Temporal payload holds 2 MB. */
const BATCH = { changes: 500, bytes: 800_000 };

/** More than this is not sent along again and again: it is projected for itself. */
const NEWS = { changes: 100, bytes: 64_000 };

/** People do not see shorter waits. */
const SEEN_MS = 100;

/** Ways to project a batch; what comes back without an error is in the database. */
export interface Projectors {
  /** Quick, or an error: the workflow task stays open meanwhile. */
  quick(batch: ProjectionBatch): Promise<unknown>;
  /** Tried until the database is back. */
  patient(batch: ProjectionBatch): Promise<void>;
  /** Keeps a large value as a blob of the run, and gives its name; tried until storage is back. */
  keep(value: Json): Promise<string>;
}

/** Of the executions of the run before this one. */
export interface RecorderState {
  /** The number of the next change. */
  first: number;
  progress: number;
  /** Steps that were begun. */
  steps: number;
  /** Whether one of them had a process. */
  logged: boolean;
  /** Temporal's id of the one before. */
  continues: string;
}
/** What a change shows by its beginning only, whole. */
export type Large = Partial<Record<keyof StepBlobs, Json>>;

/**
 * Collects what happens in a run and hands it on in order. What changed shortly before a verb is called travels with
 * the call (`news`), as a hint that costs nothing and may be lost; when the run is about to wait, or much has come
 * together, it is projected, one batch at a time; what is still here when the run ends goes out with its end. So a
 * change may be sent several times: its number tells, and the first time counts.
 */
export function createRecorder(
  runId: string,
  { quick, patient, keep }: Projectors,
  { continues, ...known }: Partial<RecorderState> = {},
) {
  /** Changes that are not known to be in the database, from number `first` on. */
  let changes: Change[] = [];
  let { first = 1, progress = 0, steps = 0, logged = false } = known;
  let bytes = 0;
  let closed = false;
  let settling = false;
  let wanted = false;
  let flushedAt = 0;
  /** Changes with values that are to be kept before the change is told. */
  const large = new Map<StepChange, Large>();

  function record(change: Change): void {
    changes.push(change);
    bytes += sizeOf(change);
    if (changes.length > NEWS.changes || bytes > NEWS.bytes) wanted = true;
  }

  /** The oldest changes, as many as one batch holds. */
  function batch(): ProjectionBatch {
    let size = 0;
    let count = 0;
    while (count < changes.length && count < BATCH.changes && (count === 0 || size < BATCH.bytes))
      size += sizeOf(changes[count++]);
    const some = { runId, from: first, changes: changes.slice(0, count), progress };
    return continues === undefined ? some : { ...some, continues };
  }

  /** The batch, once the large values of its changes are kept. */
  async function kept(one: ProjectionBatch): Promise<ProjectionBatch> {
    if (large.size === 0) return one;
    for (const change of one.changes) {
      if (!('step' in change)) continue;
      const values = large.get(change.step) ?? {};
      for (const name of blobNames) {
        const value = values[name];
        if (value !== undefined) change.step[name] = await keep(value);
      }
      large.delete(change.step);
    }
    return one;
  }

  function projected({ changes: done }: ProjectionBatch): void {
    first += done.length;
    changes = changes.slice(done.length);
    bytes = changes.reduce((sum, change) => sum + sizeOf(change), 0);
  }

  async function project(one: ProjectionBatch): Promise<void> {
    try {
      await quick(one);
    } catch {
      await patient(one).catch((error: unknown) => {
        // Only what can never be stored is refused; the run goes on and its end is still told.
        log.error('a batch of changes was refused', { error, from: one.from });
      });
    }
    projected(one);
  }

  async function pump(): Promise<void> {
    for (;;) {
      await condition(() => closed || ((wanted || settling) && changes.length > 0));
      if (closed) return;
      wanted = changes.length > BATCH.changes;
      await project(await kept(batch()));
    }
  }
  // A run that is cancelled still says so.
  const pumping = CancellationScope.nonCancellable(pump);

  return {
    /** Whether a new step still gets a row of its own. */
    admit: (): boolean => ++steps <= RECORDED_STEPS_LIMIT,
    /** `values` are those that it shows by their beginnings only. */
    step(step: StepChange, values: Large = {}): void {
      logged ||= step.stdoutBytes !== undefined;
      if (blobNames.some((name) => values[name] !== undefined)) {
        large.set(step, values);
        wanted = true; // they are held in memory until they are kept
      }
      record({ step });
    },
    run: (run: RunChange) => record({ run }),
    /** The run is about to wait for so long: what happened so far should be seen meanwhile. */
    flush(waitMs = Number.POSITIVE_INFINITY): void {
      if (waitMs < SEEN_MS && Date.now() - flushedAt < SEEN_MS) return;
      flushedAt = Date.now();
      wanted = true;
    },
    /** What a call that takes long should make known; nothing when that is done already or too much. */
    news(): ProjectionBatch | undefined {
      return wanted || large.size > 0 || changes.length === 0 ? undefined : batch();
    },
    /** From 0 to 1; it never goes back. */
    progressTo(share: number) {
      progress = Math.max(progress, Math.min(99, Math.round(share * 1000) / 10));
    },
    /** The run is completed. */
    finished() {
      progress = 100;
    },
    /** Waits until all is in the database, and gives what another execution of the run goes on with. */
    async settle(): Promise<Omit<RecorderState, 'continues'>> {
      settling = true;
      // What was told between the condition's coming true and this, as a pause, is waited for, too.
      while (changes.length > 0)
        await CancellationScope.nonCancellable(() => condition(() => changes.length === 0));
      settling = false;
      return { first, progress, steps, logged };
    },
    /** Waits for what is in flight, sends all but the last batch, and gives that one to the caller. */
    async drain(): Promise<{ last: ProjectionBatch; logged: boolean }> {
      closed = true;
      await pumping;
      let last = await kept(batch());
      while (last.changes.length < changes.length) {
        await project(last);
        last = await kept(batch());
      }
      return { last, logged };
    },
  };
}

const blobNames = ['inputBlob', 'outputBlob', 'contextBlob'] as const;

const sizeOf = (change: Change | undefined): number => byteLength((change ?? null) as unknown as Json); // a change is JSON

export type Recorder = ReturnType<typeof createRecorder>;
