import { randomUUID } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { Connection, Client as TemporalClient } from '@temporalio/client';
import type { Payload } from '@temporalio/common';
import { Client as PostgresClient } from 'pg';
import { openStorage } from '../../drivers/storage/open.ts';
import type { BlobStore } from '../../drivers/storage/port.ts';
import { readBlob } from '../../drivers/storage/read.ts';
import type { Stack } from '../../local/stack.ts';
import { type Client, until } from '../support/client.ts';
import { createPatientClient } from '../support/patient.ts';
import { expectStatus } from '../support/world.ts';

export interface Sealed {
  stack: Stack;
  adminPassword: string;
  /** Where large values are. */
  storage: Record<string, string>;
}

let stack: Stack;
let dataDir: string;
let api: Client;
let admin: string;
let operator: string;
let temporal: TemporalClient;
let blobs: BlobStore;
const CANARY = 'canary-4f1d0c7e';

async function enter({ stack: given, adminPassword, storage }: Sealed): Promise<void> {
  stack = given;
  dataDir = stack.dataDir;
  blobs = await openStorage({ dataDir, ...storage });
  api = createPatientClient(stack.apiUrl);
  admin = await logIn('admin', adminPassword);
  const account = { username: 'olga', email: 'olga@example.org', password: 'a long walk to the sea' };
  const user = await expectStatus(201, api('POST', '/api/register', { token: admin, body: account }));
  const role = { role: 'operator', is_verified: true };
  await expectStatus(200, api('PUT', `/api/users/${user.id}`, { token: admin, body: role }));
  operator = await logIn('olga', account.password);
  temporal = new TemporalClient({ connection: await Connection.connect({ address: stack.temporalAddress }) });
}

const logIn = async (username: string, secret: string): Promise<string> =>
  (await expectStatus(200, api('POST', '/api/token', { body: { username, password: secret } }))).access_token;

async function run(steps: unknown[], input: unknown) {
  const { id } = await expectStatus(
    201,
    api('POST', '/api/neosyntis/workflows', { token: admin, body: { name: CANARY, steps } }),
  );
  const path = `/api/neosyntis/workflows/${id}/trigger`;
  const { run_id } = await expectStatus(202, api('POST', path, { token: admin, body: { input } }));
  return until(
    async () => (await api('GET', `/api/neosyntis/runs/${run_id}`, { token: admin })).body,
    ({ status }) => ['completed', 'failed'].includes(status),
    120_000,
  );
}

const proto = ({ metadata, data }: Payload) => ({
  metadata: Object.fromEntries(
    Object.entries(metadata ?? {}).map(([name, value]) => [name, Buffer.from(value).toString('base64')]),
  ),
  data: Buffer.from(data ?? []).toString('base64'),
});

/** The payloads with which a run began, as Temporal has them. */
async function inputOf(runId: string) {
  const { events } = await temporal.workflow.getHandle(runId).fetchHistory();
  const payloads = events?.[0]?.workflowExecutionStartedEventAttributes?.input?.payloads ?? [];
  return { payloads: payloads.map((payload) => proto(payload as Payload)) };
}

const decode = (body: unknown, options: { token?: string; headers?: Record<string, string> } = {}) =>
  api('POST', '/api/temporal/codec/decode', { ...options, body });

const textOf = (answer: { body: { payloads: { data: string }[] } }) =>
  answer.body.payloads.map(({ data }) => Buffer.from(data, 'base64').toString()).join();

/** Every file below a folder that holds a text. */
const holding = (folder: string, text: string): string[] =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((file) => readFileSync(file).includes(text));

/** What holds on a platform that was started with the payload codec on and its large values in S3. */
export const describeSealed = (platform: () => Sealed) =>
  describe('With the payload codec on', () => {
    beforeAll(() => enter(platform()));
    afterAll(async () => {
      await temporal?.connection.close();
      blobs?.close();
    });

    test('nothing of a run’s data or failures can be read at Temporal, in storage or in logs', async () => {
      const steps = [
        { take: { set: { text: '${ .text }' }, export: { as: '.' } } },
        { shell: { run: { shell: { command: 'cat', stdin: '${ .text }' } } } },
        { fail: { run: { shell: { command: `echo ${CANARY} >&2; exit 3` } } } },
      ];
      const failed = await run(steps, { text: `${CANARY} ${'x'.repeat(400_000)}` });
      expect(failed).toMatchObject({ status: 'failed', error: { detail: expect.stringContaining(CANARY) } });
      const { blobs: kept } = await blobs.list(`runs/${failed.id}/`);
      expect(kept.length).toBeGreaterThan(1);
      for (const { key } of kept)
        expect((await readBlob(blobs, key, 16_000_000)).includes(CANARY)).toBe(false);
      // What stands in clear is found by this search: the run's id.
      expect(holding(join(dataDir, 'temporal'), failed.id)).not.toEqual([]);
      for (const folder of ['temporal', 'logs'])
        expect({ folder, files: holding(join(dataDir, folder), CANARY) }).toEqual({ folder, files: [] });
      // Base64 would hide it from the search above, at one of three offsets.
      const history = JSON.stringify(await inputOf(failed.id));
      expect(history).not.toContain(Buffer.from(CANARY).toString('base64').slice(0, 12));
    });

    test('an administrator reads it by the decode route, from storage too, and nobody else does', async () => {
      const small = await inputOf((await run([{ a: { set: { n: 1 } } }], { text: CANARY })).id);
      const large = await inputOf((await run([{ a: { set: { n: 1 } } }], [CANARY, 'y'.repeat(400_000)])).id);
      for (const body of [small, large]) {
        expect(textOf(await decode(body, { token: admin }))).toContain(CANARY);
        expect((await decode(body, { token: operator })).status).toBe(403);
        expect((await decode(body)).status).toBe(401);
      }
      const { body: audit } = await api('GET', '/api/audit?limit=50', { token: admin });
      expect(audit).toContainEqual(
        expect.objectContaining({ action: 'POST /api/temporal/codec/decode', outcome: 'ok' }),
      );
      const other = { token: admin, headers: { 'X-Namespace': 'another' } };
      expect((await decode(small, other)).status).toBe(422);
      const broken = structuredClone(small);
      for (const payload of broken.payloads) payload.data = `AAAA${payload.data.slice(4)}`;
      expect((await decode(broken, { token: admin })).status).toBe(422);
    });

    test('the UI’s pages decode by a cookie of their own, and pages of other origins are refused', async () => {
      const body = await inputOf((await run([{ a: { set: { n: 1 } } }], { text: CANARY })).id);
      const ui = (stack.temporalUiUrl ?? '').replace('127.0.0.1', 'localhost');
      const preflight = await api('OPTIONS', '/api/temporal/codec/decode', { headers: { Origin: ui } });
      expect(preflight.status).toBe(204);
      expect(preflight.headers).toMatchObject({
        'access-control-allow-origin': ui,
        'access-control-allow-credentials': 'true',
        'access-control-allow-headers': expect.stringContaining('X-Namespace'),
      });
      const session = await api('POST', '/api/temporal/codec/session', { token: admin });
      expect(session.status).toBe(204);
      const [cookie = ''] = [session.headers['set-cookie']].flat();
      expect(cookie).toMatch(/HttpOnly; SameSite=Strict/);
      const headers = { Cookie: cookie.split(';')[0] ?? '' };
      expect(textOf(await decode(body, { headers: { ...headers, Origin: ui } }))).toContain(CANARY);
      for (const origin of ['http://evil.example', 'null', 'http://localhost:1', `${ui}.evil.example`])
        expect((await decode(body, { headers: { ...headers, Origin: origin } })).status).toBe(403);
      const foreign = { token: admin, headers: { Origin: ui } };
      expect((await api('POST', '/api/temporal/codec/session', foreign)).status).toBe(403);
      // The cookie is for this route alone.
      expect((await api('GET', '/api/users/me', { headers })).status).toBe(401);
    });

    test('a run that is reset in Temporal is shown again as its sealed history tells, large batches too', async () => {
      // Together more than what goes inline: what the run tells of them is kept in storage.
      const sets = Array.from({ length: 6 }, (_, n) => ({ [`set${n}`]: { set: { text: '${ .text }' } } }));
      const text = `${CANARY} ${'z'.repeat(60_000)}`;
      const steps = [...sets, { short: { wait: { seconds: 1 } } }, { long: { wait: { hours: 1 } } }];
      const body = { name: CANARY, steps };
      const { id } = await expectStatus(201, api('POST', '/api/neosyntis/workflows', { token: admin, body }));
      const path = `/api/neosyntis/workflows/${id}/trigger`;
      const { run_id } = await expectStatus(
        202,
        api('POST', path, { token: admin, body: { input: { text } } }),
      );
      const untilRun = (done: (run: Record<string, unknown> & { steps: { status: string }[] }) => boolean) =>
        until(
          async () => (await api('GET', `/api/neosyntis/runs/${run_id}`, { token: admin })).body,
          done,
          60_000,
        );
      const before = await untilRun(({ steps: shown }) => shown[7]?.status === 'waiting');
      expect(JSON.stringify(before.steps[0]).includes(CANARY)).toBe(true);
      const handle = temporal.workflow.getHandle(run_id);
      // What a run tells can be there before the workflow task that told it is over.
      const isDone = (event: { workflowTaskCompletedEventAttributes?: unknown }) =>
        event.workflowTaskCompletedEventAttributes;
      const events = await until(
        async () => (await handle.fetchHistory()).events ?? [],
        (found) => found.filter(isDone).length > 1,
        60_000,
      );
      const told = events.flatMap(
        ({ markerRecordedEventAttributes: marker, activityTaskScheduledEventAttributes: scheduled }) =>
          [...(marker?.details?.result?.payloads ?? []), ...(scheduled?.input?.payloads ?? [])].map(
            ({ metadata }) => metadata?.messageType?.toString() ?? '',
          ),
      );
      expect(told.some((type) => type.includes('ExternalStorageReference'))).toBe(true);
      // Of what was told before it the history keeps only this.
      const waits = events.findLast(isDone);
      await temporal.workflowService.resetWorkflowExecution({
        namespace: 'default',
        workflowExecution: { workflowId: run_id, runId: (await handle.describe()).runId },
        reason: 'a test',
        workflowTaskFinishEventId: waits?.eventId ?? null,
        requestId: randomUUID(),
      });
      // Its row is made anew when it has another execution: from then on the history alone has told it.
      const client = new PostgresClient(stack.databaseUrl);
      await client.connect();
      const execution = async () =>
        (await client.query('select execution from runs where id = $1', [run_id])).rows[0].execution;
      const { runId: next } = await handle.describe();
      await until(execution, (one) => one === next, 60_000);
      await client.end();
      const after = await untilRun(({ steps: shown }) => shown[7]?.status === 'waiting');
      // Not toEqual on the whole: a difference would be printed, and they are large.
      for (const n of sets.keys())
        expect(JSON.stringify(after.steps[n]) === JSON.stringify(before.steps[n])).toBe(true);
      await handle.cancel();
      await untilRun(({ status }) => status === 'cancelled');
    });
  });
