import { isGrpcServiceError } from '@temporalio/client';
import type { Stack } from '../../local/stack.ts';
import { expectStatus, type Run, type TestUser, type World } from '../support/world.ts';

/** What a kind of run is recorded with. */
export interface Here {
  world: World;
  user: TestUser;
  stack: Stack;
  /** A server that answers `/slow` never. */
  origin: string;
}

export const DEADLINE_MS = 60_000;

export const HOUR = { wait: { hours: 1 } };
export const shell = (command: string, metadata?: object) => ({
  run: { shell: { command } },
  ...(metadata ? { metadata } : {}),
});

export const isStatus =
  (...wanted: string[]) =>
  ({ status }: Run): boolean =>
    wanted.includes(status);

/** Starts steps and gives the run's id, without waiting for anything. */
export async function start({ world, user }: Here, steps: unknown[], name: string): Promise<string> {
  const id = await world.newWorkflow(user, steps, name);
  const path = `/api/neosyntis/workflows/${id}/trigger`;
  return (await expectStatus(202, world.api('POST', path, { token: user.token, body: {} }))).run_id;
}

type Handle = ReturnType<World['temporal']['workflow']['getHandle']>;
export type Events = NonNullable<Awaited<ReturnType<Handle['fetchHistory']>>['events']>;

/** gRPC's status. */
const NOT_FOUND = 5;

/** Waits until Temporal has it so. */
export async function untilHistory(
  { world }: Here,
  id: string,
  done: (events: Events) => boolean,
): Promise<Events> {
  const handle = world.temporal.workflow.getHandle(id);
  const endsAt = Date.now() + DEADLINE_MS;
  for (;;) {
    const events = await handle.fetchHistory().then(
      (history) => history.events ?? [],
      (error: unknown): Events => {
        if (isGrpcServiceError(error) && error.code === NOT_FOUND) return []; // it has not begun yet
        throw error;
      },
    );
    if (done(events)) return events;
    if (Date.now() > endsAt) throw new Error(`after ${DEADLINE_MS} ms ${id} has ${events.length} events`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** The run waits for a timer or an activity of its own. */
export const isWaiting = (events: Events): boolean =>
  events.some((event) => event.timerStartedEventAttributes ?? event.activityTaskScheduledEventAttributes);
