import pg from 'pg';
import { expectStatus } from '../support/world.ts';
import { DEADLINE_MS, type Events, type Here, isStatus, shell, start, untilHistory } from './here.ts';

/** Kinds of run that others would notice: each happens when nothing else runs. @returns ids by kind */
export type Disaster = (here: Here) => Promise<{ [name: string]: string }>;

/** The database does not answer: what the run tells goes the long way, and so does the mail that it queues. */
const databaseAway: Disaster = async (here) => {
  const { world, user, stack } = here;
  const mail = { call: 'notify.email', with: { to: 'ada@example.org', subject: 'Late', text: 'x' } };
  const steps = [{ first: { wait: { milliseconds: 200 } } }, { mail }, { last: { set: { done: true } } }];
  const release = await lockTables(stack.databaseUrl, ['run_steps', 'outbox_mails']);
  try {
    const id = await start(here, steps, 'database-away');
    await untilHistory(here, id, (events) => {
      const names = activityNames(events);
      return names.includes('project') && names.includes('callVerb');
    });
    await release();
    await world.untilRun(user, id, isStatus('completed'), DEADLINE_MS);
    return { 'database-away': id };
  } finally {
    await release();
  }
};

/** The same at the start of a code step, which is placed meanwhile. */
const databaseSlow: Disaster = async (here) => {
  const { world, user, stack } = here;
  const release = await lockTables(stack.databaseUrl, ['run_steps']);
  try {
    const id = await start(here, [{ code: shell('echo done') }], 'code-while-database-away');
    await untilHistory(here, id, (events) => activityNames(events).includes('project'));
    await release();
    await world.untilRun(user, id, isStatus('completed'), DEADLINE_MS);
    return { 'code-while-database-away': id };
  } finally {
    await release();
  }
};

/** A host that dies with two steps: one may not move and is unknown, one may and runs again. */
const hostLost: Disaster = async (here) => {
  const { world, user, stack } = here;
  const mark = '"/tmp/vareon-history-$VAREON_RUN_ID"';
  const command = `echo begun; mkdir ${mark} 2>/dev/null && sleep 600; rmdir ${mark}; echo done`;
  const stays = await start(here, [{ code: shell('echo begun; sleep 600') }], 'host-lost');
  const moves = shell(command, { onHostLoss: 'move', idempotent: true });
  const moved = await start(here, [{ code: moves }], 'host-lost-moved');
  for (const id of [stays, moved])
    await world.untilRun(user, id, ({ steps }) => steps[0]?.logs === 'begun\n', DEADLINE_MS);
  stack.part('host').kill('SIGKILL');
  const asking = await world.untilRun(user, stays, isStatus('waiting'), DEADLINE_MS);
  const question = `/api/neosyntis/approvals/${asking.steps[0].approval_id}`;
  await expectStatus(
    200,
    world.api('POST', question, { token: user.token, body: { outcome: 'fail', comment: 'a recording' } }),
  );
  await world.untilRun(user, stays, isStatus('failed'), DEADLINE_MS);
  await world.untilRun(user, moved, isStatus('completed'), DEADLINE_MS);
  return { 'host-lost': stays, 'host-lost-moved': moved };
};

export const disasters: Disaster[] = [databaseAway, databaseSlow, hostLost];

const activityNames = (events: Events) =>
  events.map((event) => event.activityTaskScheduledEventAttributes?.activityType?.name);

/** Nobody else reads or writes these until they are released. */
async function lockTables(databaseUrl: string, tables: string[]): Promise<() => Promise<void>> {
  const client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  await client.query('begin');
  await client.query(`lock table ${tables.join(', ')} in access exclusive mode`);
  let released: Promise<void> | undefined;
  return () => {
    released ??= client.end();
    return released;
  };
}
