import type { ChildRuns, ChildTarget } from '../../../db/neosyntis/child-runs.ts';
import { createRun, type ParentStep } from '../../../db/neosyntis/new-runs.ts';
import type { Database } from '../../../db/orm.ts';
import type { StoredEvent } from '../../../domain/events.ts';
import type { ProblemKind } from '../../../domain/neosyntis/problems.ts';
import type { RunIntent } from '../../../domain/neosyntis/start.ts';
import type { Json } from '../../../domain/wire.ts';
import { derivedId } from './derived-id.ts';

/** Runs below each other; one that starts itself ends here. */
const DEPTH_LIMIT = 20;

export interface ChildDeps {
  database: Database;
  children: ChildRuns;
  intent(runId: string): Promise<RunIntent | undefined>;
  publish(events: readonly StoredEvent[]): void;
}

/** A run that is written and not started, or why there is none. */
export type CreatedChild =
  | { id: string; intent: RunIntent }
  | { problem: { kind: ProblemKind; detail: string } };

export type ChildActivities = ReturnType<typeof createChildActivities>;

/** What a run asks of the platform before it starts another one. */
export function createChildActivities({ database, children, intent, publish }: ChildDeps) {
  async function refused(parent: ParentStep, target: ChildTarget): Promise<CreatedChild> {
    const version = target.version === 'latest' ? '' : ` in version ${target.version}`;
    const others = await children.alternatives(parent.runId, target);
    const instead = others.length > 0 ? `; there is ${others.join(', ')}` : '';
    return problem(
      'configuration',
      `Its owner has no workflow ${target.namespace}/${target.name}${version}${instead}.`,
    );
  }

  return {
    /** Writes the run that a step starts; asked again it gives the same one. */
    async createChild(parent: ParentStep, target: ChildTarget, input: Json): Promise<CreatedChild> {
      const { runId, path, iteration, attempt } = parent;
      const id = derivedId(runId, `child ${path} ${iteration.join('.')} ${attempt}`);
      const written = await intent(id);
      if (written) return { id, intent: written };
      const by = await children.parent(runId, DEPTH_LIMIT);
      if (!by)
        return problem('configuration', `The account that started run ${runId} does not exist any more.`);
      if (by.depth >= DEPTH_LIMIT)
        return problem(
          'configuration',
          `Runs are nested ${DEPTH_LIMIT} deep, the limit; does a workflow start itself?`,
        );
      const found = await children.target(runId, target);
      if (!found) return refused(parent, target);
      if (found.usesCode && !by.mayRunCode)
        return problem(
          'authorization',
          `${target.namespace}/${target.name} runs code on a host, and who started this run may not.`,
        );
      const created = await createRun(database.em, {
        ...{ id, workflowId: found.workflowId, version: found.version, input, parent },
        // It was found among those of the run's owner.
        user: { userId: by.startedBy, isAdmin: true },
        mayRunCode: by.mayRunCode,
        idempotency: undefined,
      });
      if (created.isNew) publish(created.events);
      const now = await intent(id);
      if (!now) throw new Error(`run ${id} was written and is not there`);
      return { id, intent: now };
    },
  };
}

const problem = (kind: ProblemKind, detail: string): CreatedChild => ({ problem: { kind, detail } });
