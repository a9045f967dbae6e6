import { randomBytes, randomUUID } from 'node:crypto';
import { Agent } from 'node:http';
import type { Client as TemporalClient } from '@temporalio/client';
import { type Client, until } from './client.ts';
import { createPatientClient } from './patient.ts';
import { openSocket, type TestSocket } from './socket.ts';
import { type TestStack, testStack } from './stack.ts';

export const PASSWORD = 'a long walk to the sea';

export interface TestUser {
  id: string;
  username: string;
  token: string;
}

/** The running platform that all test files share, as its users see it; what only a test may do is at the end. */
export interface World {
  url: string;
  api: Client;
  admin: TestUser;
  /** A verified user with this role; `runsCode` grants code steps. */
  newUser(role?: string, options?: { runsCode?: boolean }): Promise<TestUser>;
  /** Saves a workflow and gives its id. */
  newWorkflow(user: TestUser, steps: unknown[], name?: string): Promise<string>;
  /** Runs steps to their end and gives the run as GET shows it. */
  run(user: TestUser, steps: unknown[], input?: unknown): Promise<Run>;
  /** Waits until a run is as wanted. */
  untilRun(user: TestUser, runId: string, done: (run: Run) => boolean, deadlineMs?: number): Promise<Run>;
  watch(user: TestUser, path: string): Promise<TestSocket>;
  temporal: TemporalClient;
  sql<Row>(statement: string, params?: unknown[]): Promise<Row[]>;
  close(): Promise<void>;
}

// biome-ignore lint/suspicious/noExplicitAny: tests look into runs of many shapes
export type Run = Record<string, any>;

/** What most test files do without has to be asked for. */
export type Part = 'sql' | 'temporal';

export async function enterWorld(...parts: Part[]): Promise<World> {
  const stack = testStack();
  const agent = new Agent({ keepAlive: true });
  const api = createPatientClient(stack.apiUrl, agent);
  const database = parts.includes('sql') ? await openDatabase(stack) : undefined;
  const temporal = parts.includes('temporal') ? await openTemporal(stack) : undefined;
  const given = <T>(part: Part, opened: T | undefined): T => {
    if (!opened) throw new Error(`this world was entered without its part: await enterWorld('${part}')`);
    return opened;
  };

  const logIn = async (username: string, password: string): Promise<string> => {
    const { status, text, body } = await api('POST', '/api/token', { body: { username, password } });
    if (status !== 200) throw new Error(`login of ${username}: ${status} ${text}`);
    return body.access_token;
  };
  const me = async (token: string): Promise<TestUser> => {
    const { body } = await api('GET', '/api/users/me', { token });
    return { id: body.id, username: body.username, token };
  };
  const admin = await me(await logIn('admin', stack.adminPassword));

  const newUser: World['newUser'] = async (role = 'operator', { runsCode = false } = {}) => {
    const username = `u${randomBytes(6).toString('hex')}`;
    const { body: user } = await api('POST', '/api/register', {
      token: admin.token,
      body: { username, email: `${username}@example.org`, password: PASSWORD },
    });
    const granted_permissions = runsCode ? ['neosyntis:workflows:execute_code'] : [];
    await expectStatus(
      200,
      api('PUT', `/api/users/${user.id}`, {
        token: admin.token,
        body: { role, is_verified: true, granted_permissions },
      }),
    );
    return me(await logIn(username, PASSWORD));
  };

  const newWorkflow: World['newWorkflow'] = async ({ token }, steps, name = 'test') => {
    const body = await expectStatus(
      201,
      api('POST', '/api/neosyntis/workflows', { token, body: { name, steps } }),
    );
    return body.id;
  };

  const untilRun: World['untilRun'] = ({ token }, runId, done, deadlineMs = 120_000) =>
    until(async () => (await api('GET', `/api/neosyntis/runs/${runId}`, { token })).body, done, deadlineMs);

  return {
    url: stack.apiUrl,
    api,
    admin,
    newUser,
    newWorkflow,
    untilRun,
    async run(user, steps, input = null) {
      const id = await newWorkflow(user, steps);
      const { body, text } = await api('POST', `/api/neosyntis/workflows/${id}/trigger?wait=30`, {
        token: user.token,
        body: { input },
        headers: { 'Idempotency-Key': randomUUID() },
      });
      if (!body?.run_id) throw new Error(`trigger: ${text}`);
      return untilRun(user, body.run_id, ({ status }) =>
        ['completed', 'failed', 'cancelled'].includes(status),
      );
    },
    watch: async ({ token }, path) => openSocket(new URL(path, stack.apiUrl.replace('http', 'ws')), token),
    get temporal() {
      return given('temporal', temporal).client;
    },
    sql: (statement, params) => given('sql', database).sql(statement, params),
    async close() {
      agent.destroy();
      await temporal?.close();
      await database?.close();
    },
  };
}

async function openTemporal({ temporalAddress, temporalNamespace = 'default', keysDir }: TestStack) {
  const { Connection, Client } = await import('@temporalio/client');
  const connection = await Connection.connect({ address: temporalAddress });
  const client: TemporalClient = new Client({
    connection,
    namespace: temporalNamespace,
    ...(keysDir ? { dataConverter: await opening(keysDir) } : {}),
  });
  return { client, close: () => connection.close() };
}

/** Opens what an installation seals that was made elsewhere. */
async function opening(keysDir: string) {
  const { readKeys } = await import('../../keys.ts');
  const { createPayloads } = await import('../../drivers/payloads/converter.ts');
  return createPayloads({ keys: readKeys({ keysDir }).payload, seals: false }).dataConverter;
}

async function openDatabase({ databaseUrl }: TestStack) {
  const { openSql } = await import('./sql.ts');
  return openSql(databaseUrl);
}

/** The body of an answer that must have this status. */
export async function expectStatus(status: number, answer: ReturnType<Client>) {
  const { status: seen, text, body } = await answer;
  if (seen !== status) throw new Error(`expected ${status}, got ${seen}: ${text}`);
  return body;
}
