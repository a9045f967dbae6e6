import type { ReuseRepository, StoredOutcome } from '../../../db/neosyntis/reuse.ts';
import { type RerunFrom, type Reused, reusable } from '../../../domain/neosyntis/reuse.ts';
import type { Json } from '../../../domain/wire.ts';
import type { KeptValues } from '../../../drivers/payloads/kept-values.ts';

/** A step of the earlier run; one without an outcome is asked for by itself. */
export interface ReusableStep {
  path: string;
  iteration: number[];
  outcome?: Reused;
}

/** Why there is nothing to reuse. */
export interface Problem {
  problem: string;
}

/** Larger outcomes are asked for when the run comes to them. */
const SMALL_BYTES = 4 * 1024;
/** One answer is a payload; from 256 KiB on those go by reference. */
const PAGE_BYTES = 1_000_000;
/** What a place costs besides its values. */
const PLACE_BYTES = 200;
const PAGE_STEPS = 2_000;

export type ReuseActivities = ReturnType<typeof createReuseActivities>;

/** What a run that repeats another one asks of the platform. All only read. */
export function createReuseActivities({ reuse, kept }: { reuse: ReuseRepository; kept: KeptValues }) {
  async function whole(runId: string, blob: string): Promise<Json | undefined> {
    const json = await kept.read(runId, blob);
    return json && (JSON.parse(Buffer.from(json).toString()) as Json); // what was kept is JSON
  }

  return {
    /** The steps that count, from position `at` of their list on. */
    async reusable(
      runId: string,
      from: RerunFrom,
      at: number,
    ): Promise<{ steps: ReusableStep[]; next?: number } | Problem> {
      const recorded = await reuse.steps(runId);
      const first = recorded.find((step) => isAt(step, from));
      if (!first) return gone(runId);
      const counting = reusable(recorded, first).slice(at, at + PAGE_STEPS + 1);
      const outcomes = await reuse.small(runId, counting.slice(0, PAGE_STEPS), SMALL_BYTES);
      const steps: ReusableStep[] = [];
      let bytes = 0;
      for (const [index, { path, iteration }] of counting.slice(0, PAGE_STEPS).entries()) {
        const stored = outcomes[index];
        const place = { path, iteration, ...(stored ? { outcome: outcomeOf(stored) } : {}) };
        bytes += PLACE_BYTES + JSON.stringify(place).length;
        if (bytes > PAGE_BYTES && steps.length > 0) break;
        steps.push(place);
      }
      return { steps, ...(steps.length < counting.length ? { next: at + steps.length } : {}) };
    },

    /** One outcome, whatever its size. */
    async reusedValues(runId: string, step: RerunFrom): Promise<Reused | Problem> {
      const stored = await reuse.one(runId, step);
      if (!stored) return gone(runId);
      const output = stored.output_blob ? await whole(runId, stored.output_blob) : stored.output;
      const context = stored.context_blob ? await whole(runId, stored.context_blob) : stored.context?.[0];
      if (output === undefined || (stored.context_blob && context === undefined)) return gone(runId);
      return {
        ...outcomeOf({ ...stored, output }),
        ...(stored.context && context !== undefined ? { context: [context] } : {}),
      };
    },
  };
}

const outcomeOf = ({ status, output, context, directive }: StoredOutcome): Reused => ({
  ...{ status, output },
  ...(context ? { context } : {}),
  ...(directive === null ? {} : { directive }),
});

const isAt = (step: RerunFrom, { path, iteration }: RerunFrom) =>
  step.path === path && step.iteration.join() === iteration.join();

const gone = (runId: string): Problem => ({
  problem: `What the steps of run ${runId} gave is not kept any more; run the workflow without \`from\`.`,
});
