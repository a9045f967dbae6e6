import { createHash } from 'node:crypto';
import {
  type Client,
  ScheduleAlreadyRunning,
  ScheduleNotFoundError,
  ScheduleOverlapPolicy,
  WorkflowNotFoundError,
} from '@temporalio/client';
import {
  PLATFORM_QUEUE,
  pacerId,
  SCHEDULE_PREFIX,
  scheduleOfPacer,
  workflowTypes,
} from '../../domain/names.ts';
import { catchUpMs, type Recurring, type WantedSchedule } from '../../domain/system/schedules.ts';
import type { Carried, ScheduleCarrier } from './port.ts';
import { type TemporalSpec, temporalSpec } from './spec.ts';

/** Raised when what is made of a schedule changes with this code: all are brought in line then. */
const FORM = 1;

/**
 * Schedules that are carried by Temporal. `every` and `cron` are its schedules, `after` is a workflow that waits; of `on`
 * it has nothing (decisions/041).
 */
export function createTemporalCarrier(client: Client): ScheduleCarrier {
  const specs = new Map<string, TemporalSpec>();

  /** Which minutes a zone needs takes a while to find out, and changes once a year at most. */
  function specOf(timing: Recurring): TemporalSpec {
    const key = JSON.stringify([timing, new Date().getUTCFullYear()]);
    const spec = specs.get(key) ?? temporalSpec(timing);
    if (specs.size > 10_000) specs.clear();
    specs.set(key, spec);
    return spec;
  }

  const digestOf = ({ timing, paused }: WantedSchedule): string => {
    const spec = timing.kind === 'after' || timing.kind === 'on' ? {} : specOf(timing);
    const all = JSON.stringify([FORM, Object.entries(timing).sort(), spec, paused]);
    return createHash('sha256').update(all).digest('hex').slice(0, 32);
  };

  async function putSchedule(wanted: WantedSchedule, timing: Recurring): Promise<void> {
    const { id, kind, paused } = wanted;
    const made = {
      spec: specOf(timing),
      // A tick is over in milliseconds: whether what it began still goes on is asked by the tick.
      policies: { overlap: ScheduleOverlapPolicy.ALLOW_ALL, catchupWindow: catchUpMs(timing) },
      action: {
        type: 'startWorkflow',
        workflowType: kind === 'task' ? workflowTypes.taskTick : workflowTypes.tick,
        taskQueue: PLATFORM_QUEUE,
        workflowId: id,
      },
    } as const;
    const state = { paused, note: digestOf(wanted) };
    try {
      await client.schedule.create({ scheduleId: id, ...made, state });
    } catch (error) {
      if (!(error instanceof ScheduleAlreadyRunning)) throw error;
      await client.schedule.getHandle(id).update(() => ({ ...made, state }));
    }
  }

  async function putPacer(wanted: WantedSchedule, afterMs: number): Promise<void> {
    const digest = digestOf(wanted);
    const workflowId = pacerId(wanted.id);
    if ((await pacerDigest(workflowId)) === digest) return;
    await client.workflow.start(workflowTypes.pacer, {
      workflowId,
      taskQueue: PLATFORM_QUEUE,
      args: [{ scheduleId: wanted.id, afterMs, digest }],
      memo: { digest },
      workflowIdConflictPolicy: 'TERMINATE_EXISTING',
    });
  }

  async function pacerDigest(workflowId: string): Promise<unknown> {
    try {
      const { status, memo } = await client.workflow.getHandle(workflowId).describe();
      return status.name === 'RUNNING' ? memo?.digest : undefined;
    } catch (error) {
      if (error instanceof WorkflowNotFoundError) return undefined;
      throw error;
    }
  }

  const removeSchedule = (id: string) =>
    client.schedule
      .getHandle(id)
      .delete()
      .catch((error: unknown) => {
        if (!(error instanceof ScheduleNotFoundError)) throw error; // there is none: as wanted
      });

  const removePacer = (id: string) =>
    client.workflow
      .getHandle(pacerId(id))
      .terminate('its schedule was changed')
      .catch((error: unknown) => {
        if (!(error instanceof WorkflowNotFoundError)) throw error; // there is none: as wanted
      });

  async function remove(id: string): Promise<void> {
    await removeSchedule(id);
    await removePacer(id);
  }

  return {
    async apply(wanted) {
      const { id, timing, paused } = wanted;
      if (timing.kind === 'on') return remove(id); // events come by themselves
      if (timing.kind !== 'after') {
        await removePacer(id);
        return putSchedule(wanted, timing);
      }
      await removeSchedule(id);
      await (paused ? removePacer(id) : putPacer(wanted, timing.after_ms));
    },

    remove,

    expected(wanted) {
      const { kind } = wanted.timing;
      if (wanted.removed || kind === 'on' || (kind === 'after' && wanted.paused)) return [];
      return [{ digest: digestOf(wanted) }];
    },

    async carried() {
      const found = new Map<string, Carried[]>();
      const add = (id: string, one: Carried) => found.set(id, [...(found.get(id) ?? []), one]);
      for await (const { scheduleId, state } of client.schedule.list({ pageSize: 1_000 }))
        if (scheduleId.startsWith(SCHEDULE_PREFIX)) add(scheduleId, { digest: state.note });
      const query = `WorkflowType = '${workflowTypes.pacer}' AND ExecutionStatus = 'Running'`;
      for await (const { workflowId, memo } of client.workflow.list({ query, pageSize: 1_000 }))
        add(scheduleOfPacer(workflowId), { digest: String(memo?.digest) });
      return found;
    },
  };
}
