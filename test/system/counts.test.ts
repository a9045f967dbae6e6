import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { rows } from '../../db/sql.ts';
import { createHostCredentials } from '../../db/system/host-credentials.ts';
import { createHostRepository } from '../../db/system/hosts.ts';
import { createStatusCounts } from '../../db/system/status.ts';
import { newDatabase } from '../auth/installation.ts';
import { userOf } from './serve.ts';

let db: Awaited<ReturnType<typeof newDatabase>>;
beforeAll(async () => {
  db = await newDatabase();
});
afterAll(() => db.drop());

const addWorkflow = (owner: string, deleted = false) =>
  rows(
    db.database.em,
    `insert into workflows (id, owner_id, name, version, created_at, updated_at, deleted_at)
     values (?, ?, 'w', 1, now(), now(), ${deleted ? 'now()' : 'null'})`,
    [randomUUID(), owner],
  );

const addJob = (owner: string | null, type: string, status: string) =>
  rows(
    db.database.em,
    `insert into jobs (id, type, name, owner_id, status, details, created_at, updated_at)
     values (?, ?, 'j', ?, ?, '{}', now(), now())`,
    [randomUUID(), type, owner, status],
  );

const addAgent = (host: string, status: string) =>
  rows(
    db.database.em,
    `insert into agents (id, name, type, host, configuration, desired, status, health_parts, created_at, updated_at)
     values (?, 'a', 'process', ?, '{}', 'running', ?, '{}', now(), now())`,
    [randomUUID(), host, status],
  );

test('the counts are of what the caller may see, and of all for an administrator', async () => {
  const counts = createStatusCounts(db.database);
  const [ada, admin] = [userOf('operator'), userOf('admin')];
  const other = randomUUID();
  await addWorkflow(ada.userId);
  await addWorkflow(ada.userId, true);
  await addWorkflow(other);
  await addJob(ada.userId, 'workflow_run', 'running');
  await addJob(ada.userId, 'workflow_run', 'completed');
  await addJob(other, 'workflow_run', 'running');
  await addJob(other, 'workflow_run', 'failed');
  await addJob(null, 'firmware_upload', 'pending');
  const hosts = createHostRepository(db.database);
  const credentials = createHostCredentials(db.database);
  for (const name of ['one', 'two']) await credentials.ensure(name, `vrh_${name}`);
  await hosts.seen({
    name: 'one',
    at: '2026-11-21T09:30:00.000Z',
    capabilities: {},
    sessions: 0,
    generation: 0,
  });
  await hosts.seen({
    name: 'two',
    at: '2026-11-21T09:30:00.000Z',
    capabilities: {},
    sessions: 0,
    generation: 0,
  });
  await hosts.gone('two', 0);
  await addAgent('one', 'running');
  await addAgent('two', 'running'); // whose host nobody sees
  await addAgent('two', 'error');

  const none = { pending: 0, running: 0, waiting: 0, paused: 0, completed: 0, failed: 0, cancelled: 0 };
  expect(await counts.neosyntis(ada)).toEqual({ workflows: 1, runs: { ...none, running: 1, completed: 1 } });
  const all = { ...none, running: 2, completed: 1, failed: 1 };
  expect(await counts.neosyntis(admin)).toEqual({ workflows: 2, runs: all });
  expect(await counts.runs()).toEqual(all);
  const agents = { running: 1, unknown: 1, error: 1, starting: 0, stopped: 0, stopping: 0 };
  const devices = { connected: 0, connecting: 0, disconnected: 0, error: 0, unknown: 0 };
  expect(await counts.myntrix(ada)).toEqual({ hosts_online: 1, jobs_open: 2, agents, devices });
  expect(await counts.myntrix(admin)).toEqual({ hosts_online: 1, jobs_open: 3, agents, devices });
  const unread = { ...ada, permissions: new Set([]) as typeof ada.permissions }; // none at all
  expect(await counts.myntrix(unread)).toEqual({ hosts_online: 1, jobs_open: 2 });
});
