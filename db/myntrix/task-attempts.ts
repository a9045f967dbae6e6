import { AppError } from '../../domain/errors.ts';
import type { StoredEvent } from '../../domain/events.ts';
import { attemptsOf } from '../../domain/myntrix/task-actions.ts';
import type { AgentAction } from '../../domain/names.ts';
import { createAccountReader } from '../auth/accounts.ts';
import type { Database, Sql } from '../orm.ts';
import { rows } from '../sql.ts';
import { appendEvents } from '../system/events.ts';
import { createAgentRepository } from './agents.ts';
import { type BegunAs, noteBegun, writeRun } from './task-begin.ts';
import { actingOwner } from './task-owner.ts';
import { type OpenTick, openTick, type TaskRow } from './task-rows.ts';

/** What an attempt is: a run of a workflow, or an order to an agent that is to be told of it. */
export type BegunAttempt =
  | { kind: 'run'; id: string; events: StoredEvent[] }
  | {
      kind: 'agent';
      id: string;
      /** How long the order may take. */
      timeoutMs: number;
      events: StoredEvent[];
      order?: { agentId: string; command: AgentAction; epoch: number };
    }
  | { kind: 'refused'; reason: string; events: StoredEvent[] }
  | { kind: 'cancelled'; reason: string };

type Begun = Exclude<BegunAttempt, { kind: 'cancelled' }>;

/** Attempts of ticks as they begin, in their owners' names. All are idempotent. */
export function createTaskAttempts(database: Database) {
  const { em } = database;
  const accounts = createAccountReader(database);
  const agents = createAgentRepository(database);

  /** What an order to an agent comes to; in transactions of its own, before the tick's. */
  async function order(task: TaskRow, id: string): Promise<Begun | undefined> {
    const { action } = task;
    if (action.type !== 'agent') return undefined;
    const [known] = await rows(em, 'select 1 from jobs where id = ?', [id]);
    const { timeoutMs } = attemptsOf(action);
    if (known) return { kind: 'agent', id, timeoutMs, events: [] };
    const acting = await actingOwner(em, accounts, task);
    if ('refusal' in acting) return { kind: 'refused', reason: acting.refusal, events: [] };
    const { agentId, command } = action;
    try {
      const { host } = await agents.get(agentId);
      if (command !== 'stop' && !(await agents.mayRunOn(acting.owner, host))) {
        const reason = `An agent is code that runs on host "${host}", which the task’s owner may not.`;
        return { kind: 'refused', reason, events: [] };
      }
      const { epoch, isDone, events } = await agents.order(acting.owner, agentId, command, id);
      return {
        kind: 'agent',
        id,
        timeoutMs,
        events,
        ...(isDone ? {} : { order: { agentId, command, epoch } }),
      };
    } catch (error) {
      if (!(error instanceof AppError) || error.code !== 'not_found') throw error;
      return { kind: 'refused', reason: error.message, events: [] };
    }
  }

  const write = async (tx: Sql, task: TaskRow, tick: OpenTick, id: string): Promise<Begun> => {
    const written = await writeRun(tx, accounts, task, tick, id);
    return written.kind === 'run' ? { ...written, id } : { ...written, events: [] };
  };

  return {
    /**
     * Begins an attempt of a tick, and with the first one the tick.
     * @param id of the run or job, the attempt's own
     * @returns nothing when the tick is over, waits for another one, or has come further
     */
    async begin(tickId: string, attempt: number, id: string): Promise<BegunAttempt | undefined> {
      const found = await openTick(em, tickId);
      if (!found) return undefined;
      const ordered = found.task.removed || found.tick.cancelAsked ? undefined : await order(found.task, id);
      return em.fork().transactional(async (tx) => {
        const locked = await openTick(tx, tickId, 'lock');
        if (!locked || locked.tick.attempt > attempt) return undefined;
        const { task, tick } = locked;
        if (task.removed) return { kind: 'cancelled', reason: 'The task was deleted.' };
        if (tick.cancelAsked) return { kind: 'cancelled', reason: 'It was cancelled.' };
        const begun = ordered ?? (await write(tx, task, tick, id));
        const told = await appendEvents(tx, await noteBegun(tx, task, tick, attempt, asOf(begun)));
        return { ...begun, events: [...begun.events, ...told] };
      });
    },
  };
}

const asOf = (begun: Begun): BegunAs => {
  if (begun.kind === 'refused') return { refused: begun.reason };
  return begun.kind === 'run' ? { run: begun.id } : { job: begun.id };
};

export type TaskAttempts = ReturnType<typeof createTaskAttempts>;
