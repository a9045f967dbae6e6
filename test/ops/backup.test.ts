import { randomUUID } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { Client } from 'pg';
import { restoreMark } from '../../local/half-restored.ts';
import { type Stack, startStack } from '../../local/stack.ts';
import type { Manifest } from '../../ops/archive/manifest.ts';
import { verifyArchive } from '../../ops/archive/read.ts';
import { type Client as ApiClient, until } from '../support/client.ts';
import { createPatientClient } from '../support/patient.ts';
import { openSocket } from '../support/socket.ts';
import { testEnvironment } from '../support/stack.ts';
import { runCommand } from './commands.ts';

/** A platform of its own, which is backed up while it works, stopped, and restored beside itself. */
const password = 'seven quiet herons';
const noKeys = { identityFile: undefined, passphraseFile: undefined };
let folder: string;
let archive: string;
let manifest: Manifest;
let stack: Stack | undefined;
let token: string;
let before: Record<string, unknown>;
let waitingRun: string;
let duringRuns: string[];

/** Closed before the backup, so that nothing of theirs changes while it is made. */
const settled: string[] = [];

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'vareon-backup-'));
  archive = join(folder, 'backup.tar.gz');
  stack = await startStack({ env: await testEnvironment(join(folder, 'first'), password) });
  await logIn();
  mkdirSync(join(folder, 'first', 'blobs', 'runs'), { recursive: true });
  writeFileSync(join(folder, 'first', 'blobs', 'runs', 'a.bin'), 'a large value');
  await call(201, 'POST', '/api/register', {
    username: 'ada',
    email: 'ada@example.org',
    password: 'a long walk to the sea',
  });
  // Of a minute that is not over yet: nothing is made of it meanwhile.
  const timestamp = new Date(Date.now() + 3_600_000).toISOString();
  await call(200, 'POST', '/api/neosyntis/telemetry/ingest', [{ timestamp, metric_name: 'kept', value: 1 }]);
  for (const text of ['one', 'two'])
    settled.push(await trigger([{ code: { run: { shell: { command: `echo ${text}` } } } }]));
  for (const id of settled)
    await until(
      () => call(200, 'GET', `/api/neosyntis/runs/${id}`),
      ({ status }) => status === 'completed',
      60_000,
    );
});

afterAll(async () => {
  await stack?.close();
  rmSync(folder, { recursive: true, force: true, maxRetries: 10 });
});

const api: ApiClient = (...args) => createPatientClient(stack?.apiUrl ?? '')(...args);

async function logIn() {
  const { body } = await api('POST', '/api/token', { body: { username: 'admin', password } });
  token = body.access_token;
}

async function call(status: number, method: string, path: string, body?: unknown) {
  const answer = await api(method, path, { token, ...(body === undefined ? {} : { body }) });
  if (answer.status !== status) throw new Error(`${method} ${path}: ${answer.status} ${answer.text}`);
  return answer.body;
}

async function trigger(steps: unknown[]): Promise<string> {
  const { id } = await call(201, 'POST', '/api/neosyntis/workflows', { name: 'kept', steps });
  return triggerAgain(id);
}

async function triggerAgain(workflowId: string): Promise<string> {
  const path = `/api/neosyntis/workflows/${workflowId}/trigger`;
  const { status, text, body } = await api('POST', path, {
    token,
    headers: { 'Idempotency-Key': randomUUID() },
  });
  // 200 when the run has ended by then, as a short one may.
  if (status !== 202 && status !== 200) throw new Error(`trigger: ${status} ${text}`);
  return body.run_id;
}

/** What users see, of things that do not change by being looked at. */
async function answers() {
  const runs = await Promise.all(settled.map((id) => call(200, 'GET', `/api/neosyntis/runs/${id}`)));
  const logs = await Promise.all(settled.map((id) => call(200, 'GET', `/api/myntrix/jobs/${id}/logs`)));
  return {
    users: await call(200, 'GET', '/api/users'),
    workflows: (await call(200, 'GET', '/api/neosyntis/workflows')).map(({ id }: { id: string }) => id),
    runs,
    logs,
    telemetry: await call(
      200,
      'GET',
      `/api/neosyntis/telemetry?metric_name=kept&to=${new Date(Date.now() + 7_200_000).toISOString()}&from=2026-01-01T00:00:00Z&aggregation=sum&bucket=365d`,
    ),
  };
}

async function counts(): Promise<Record<string, number>> {
  const client = new Client(stack?.databaseUrl);
  await client.connect();
  const counted: Record<string, number> = {};
  for (const { name } of manifest.tables) {
    const { rows } = await client.query(`select count(*)::int as n from ${name}`);
    counted[name] = rows[0].n;
  }
  await client.end();
  return counted;
}

describe('A backup of a platform that works', () => {
  test('is one file for its owner only, whole, with everything in it', async () => {
    waitingRun = await trigger([
      { first: { run: { shell: { command: 'echo before' } } } },
      { pause: { listen: { to: { one: { with: { type: 'go' } } } } } },
      { last: { run: { shell: { command: 'echo after' } } } },
    ]);
    await until(
      () => call(200, 'GET', `/api/neosyntis/runs/${waitingRun}`),
      (run) => run.steps[1]?.status === 'waiting',
      60_000,
    );
    const timed = await trigger([
      { first: { set: { n: 1 } } },
      { pause: { wait: { seconds: 15 } } },
      { last: { set: { n: 2 } } },
    ]);
    // Runs start and end all through it.
    let isOn = true;
    duringRuns = [];
    const { id } = await call(201, 'POST', '/api/neosyntis/workflows', {
      name: 'busy',
      steps: [{ a: { set: { n: 1 } } }, { p: { wait: { milliseconds: 50 } } }, { b: { set: { n: 2 } } }],
    });
    before = await answers();
    const busy = (async () => {
      while (isOn) duringRuns.push(await triggerAgain(id));
    })();
    await until(
      async () => duringRuns.length,
      (length) => length > 20,
      60_000,
    );
    const before202 = duringRuns.slice();
    const { code, output } = await runCommand('backup', ['--to', archive], await settings('first'));
    isOn = false;
    await busy;
    const { steps } = await call(200, 'GET', `/api/neosyntis/runs/${waitingRun}`);
    expect(steps[1].status).toBe('waiting'); // and so it was all the time
    expect(output).toContain(`Backed up to ${archive}`);
    expect(code).toBe(0);
    expect(statSync(archive).mode & 0o777).toBe(0o600);
    expect(readdirSync(folder).sort()).toEqual(['backup.tar.gz', 'first']);
    manifest = await verifyArchive(archive, noKeys);
    const paths = manifest.parts.map(({ path }) => path);
    expect(paths).toEqual(
      expect.arrayContaining(['temporal/temporal.db', 'keys/encryption.key', 'blobs/runs/a.bin']),
    );
    expect(rowsOf('runs')).toBeGreaterThanOrEqual(settled.length + 1 + before202.length);
    // What was not acknowledged when it began is not asked for later.
    duringRuns = [timed, ...before202];
  });

  test('does not replace a file, and leaves nothing when it fails', async () => {
    const again = await runCommand('backup', ['--to', archive], await settings('first'));
    expect(again).toMatchObject({ code: 1, output: expect.stringContaining('exists already') });
    const nowhere = await runCommand('backup', ['--to', join(folder, 'none', 'b')], await settings('first'));
    expect(nowhere).toMatchObject({ code: 1, output: expect.stringContaining('cannot be written to') });
    expect(readdirSync(folder).sort()).toEqual(['backup.tar.gz', 'first']);
  });
});

describe('A restore', () => {
  test('refuses a folder that is not empty, a damaged archive and a cut one before it writes', async () => {
    await stack?.close();
    stack = undefined;
    const full = await runCommand('restore', [archive], await settings('first'));
    expect(full).toMatchObject({ code: 1, output: expect.stringContaining('is not empty') });
    const cut = join(folder, 'cut.tar.gz');
    writeFileSync(cut, readFileSync(archive).subarray(0, 20_000));
    const short = await runCommand('restore', [cut], await settings('second'));
    expect(short).toMatchObject({ code: 1, output: expect.stringContaining('is damaged') });
    expect(existsSync(join(folder, 'second'))).toBe(false);
    // What a restore that is killed leaves behind.
    mkdirSync(join(folder, 'half'));
    writeFileSync(restoreMark(join(folder, 'half')), '{}');
    const start = startStack({ env: await settings('half') });
    await expect(start).rejects.toThrow(/A restore into .* did not finish/);
  });

  test('gives the same answers, loses no row, and runs that waited go on to their end', async () => {
    const restored = await runCommand('restore', [archive], await settings('second'));
    expect(restored.output).toContain('Restored the backup');
    expect(restored.code).toBe(0);
    // Its host starts, although the one that was backed up has only just let go of the name, or not at all.
    stack = await startStack({ env: await testEnvironment(join(folder, 'second'), 'not this one') });
    // Rows come to these while the platform runs; none of the others has lost or won any.
    const growing =
      /^(events|audit_log|sessions|refresh_tokens|rate_limits|jobs|run.*|job_logs|log_streams|ws_tickets|system_metrics|system_metric_points)$/;
    const now = await counts();
    for (const { name, rows } of manifest.tables) {
      expect({ name, rows: now[name] }).toEqual({
        name,
        rows: growing.test(name) ? Math.max(rows, now[name] ?? 0) : rows,
      });
    }
    await logIn();
    expect(await answers()).toEqual(before);
    const event = { specversion: '1.0', id: '1', source: '/test', type: 'go' };
    await call(202, 'POST', `/api/neosyntis/runs/${waitingRun}/events`, event);
    for (const id of [waitingRun, ...duringRuns]) {
      const run = await until(
        () => call(200, 'GET', `/api/neosyntis/runs/${id}`),
        ({ status }) => ['completed', 'failed'].includes(status),
        60_000,
      );
      expect(run).toMatchObject({ id, status: 'completed' });
      expect(run.steps.map(({ status }: { status: string }) => status)).toEqual([
        'completed',
        'completed',
        'completed',
      ]);
    }
    const { text } = await call(200, 'GET', `/api/myntrix/jobs/${waitingRun}/logs`);
    expect(text).toBe('before\nafter\n');
  });

  test('goes on with the numbering of events and of a run’s frames', async () => {
    const socket = await openSocket(
      new URL('/ws/events?after=0', stack?.apiUrl.replace('http', 'ws')),
      token,
    );
    const run_id = await trigger([{ a: { set: { n: 1 } } }]);
    await socket.next(({ event }) => event?.subject === run_id && event.type.endsWith('run.completed'));
    const numbers = socket.frames.map(({ seq }) => seq);
    expect(numbers).toEqual(Array.from({ length: numbers.length }, (_, index) => index + 1));
    socket.close();
  });
});

const rowsOf = (table: string) => manifest.tables.find(({ name }) => name === table)?.rows;

/** The settings of a command or a platform that works with one of the data folders. */
const settings = (name: 'first' | 'second' | 'half') => testEnvironment(join(folder, name), password);
