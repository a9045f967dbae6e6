import { ScheduleNotFoundError } from '@temporalio/client';
import { scheduleIdOf } from '../../domain/names.ts';
import { until } from './client.ts';
import type { World } from './world.ts';

/** Temporal's side of what runs by itself. `world` is asked for when it is needed: files enter it before their tests. */
export function schedulesIn(world: () => Pick<World, 'temporal'>) {
  const handle = (id: string) => world().temporal.schedule.getHandle(scheduleIdOf(id));
  /** Nothing when there is none. */
  const describe = (id: string) =>
    handle(id)
      .describe()
      .catch((error: unknown) => {
        if (error instanceof ScheduleNotFoundError) return undefined;
        throw error;
      });
  return {
    handle,
    describe,
    /** A schedule is changed in Temporal soon after it said so; on a slow machine by the reconciler. */
    until: (id: string, done: (found: Awaited<ReturnType<typeof describe>>) => boolean | undefined) =>
      until(
        () => describe(id),
        (found) => done(found) === true,
        60_000,
      ),
  };
}
