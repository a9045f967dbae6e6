import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { v7 as uuidv7 } from 'uuid';
import { type Contract, readContract } from './support/contract.ts';
import { openSocket } from './support/socket.ts';
import { enterWorld, expectStatus, type TestUser, type World } from './support/world.ts';

let world: World;
let contract: Contract;
let people: Record<Who, TestUser | undefined>;

/** Nobody, a viewer, the operator who owns the thing, an operator who does not, an administrator. */
const whos = ['nobody', 'viewer', 'owner', 'other', 'admin'] as const;
type Who = (typeof whos)[number];

interface Sent {
  path?: string;
  body?: unknown;
  /** Instead of the person's usual one. */
  token?: string;
  /** Whether another person's request needs another one, even if this one is refused. */
  isForOne?: true;
}

/**
 * The statuses for nobody, viewer, owner, other, admin; and how to send the request: what it is about is made anew after
 * each request that may have changed it, so one that was refused and changed it all the same is found by the next.
 */
type Row = [statuses: number[], send?: (who: Who) => Promise<Sent> | Sent];

const steps = [{ a: { set: { a: 1 } } }];
const owner = () => people.owner ?? world.admin;
const path = '/api/neosyntis/workflows';

const ownWorkflow =
  (suffix = '', body?: unknown) =>
  async (): Promise<Sent> => ({ path: `${path}/${await world.newWorkflow(owner(), steps)}${suffix}`, body });

const ownRun =
  (prefix: string, suffix = '') =>
  async (): Promise<Sent> => ({ path: `${prefix}/${(await world.run(owner(), steps)).id}${suffix}` });

const someEvent = () => ({ specversion: '1.0', id: uuidv7(), source: '/test', type: 'org.example.said' });

/** A run that ended, for all requests that change nothing of it. */
let endedRun: Promise<{ id: string }> | undefined;
const anyRun =
  (suffix = '', body?: unknown, prefix = '/api/neosyntis/runs') =>
  async (): Promise<Sent> => {
    endedRun ??= world.run(owner(), steps) as Promise<{ id: string }>; // a run has an id
    return { path: `${prefix}/${(await endedRun).id}${suffix}`, body };
  };
const anyJob = (suffix = '', body?: unknown) => anyRun(suffix, body, '/api/myntrix/jobs');

/** What a run of the owner asks; by itself, or as what the step asks. */
const ownApproval =
  (body?: unknown, by: 'id' | 'path' = 'id') =>
  async (): Promise<Sent> => {
    const { token } = owner();
    const id = await world.newWorkflow(owner(), [{ ask: { call: 'approval.wait' } }]);
    const { run_id } = (await world.api('POST', `${path}/${id}/trigger`, { token })).body;
    const run = await world.untilRun(owner(), run_id, ({ status }) => status === 'waiting');
    const question =
      by === 'id'
        ? `/api/neosyntis/approvals/${run.steps[0].approval_id}`
        : `/api/neosyntis/runs/${run_id}/approvals/${encodeURIComponent('/do/0/ask')}`;
    return { path: question, body };
  };

const newSecretName = () => `s${uuidv7().replaceAll('-', '')}`;

const ownSecret = (body?: unknown) => async (): Promise<Sent> => {
  const name = newSecretName();
  await world.api('POST', '/api/neosyntis/secrets', { token: owner().token, body: { name, value: 'x' } });
  return { path: `/api/neosyntis/secrets/${name}`, body };
};

/** An account that the request may change or delete. */
const someUser = (body?: unknown) => async (): Promise<Sent> => ({
  path: `/api/users/${(await world.newUser('viewer')).id}`,
  body,
});

const newToken = { name: 'x', permissions: ['system:status:read'], expires_at: null };

const apiToken = async (who: Who): Promise<Sent> => {
  const holder = people[who] ?? owner();
  const { body } = await world.api('POST', '/api/api-tokens', {
    token: holder.token,
    body: newToken,
  });
  return { path: `/api/api-tokens/${body.id}`, isForOne: true };
};

/** A login of its own, which the request may end. */
const freshLogin = async (who: Who): Promise<Sent> =>
  who === 'nobody' ? { isForOne: true } : { token: (await world.newUser()).token, isForOne: true };

const offlineHost = async (): Promise<Sent> => {
  const name = `gone-${uuidv7()}`;
  await world.sql(
    "insert into hosts (name, online, last_seen, announced_at, capabilities, sessions) values (?, false, now(), now(), '{}', 0)",
    [name],
  );
  return { path: `/api/hosts/${name}` };
};

const hostGrants = (body?: unknown) => async (): Promise<Sent> => ({
  path: `${(await offlineHost()).path}/grants`,
  body,
});

const enrolment = async (): Promise<Sent> => {
  const { body } = await world.api('POST', '/api/hosts/enrolments', { token: world.admin.token, body: {} });
  return { path: `/api/hosts/enrolments/${body.id}` };
};

const newAccount = (): Sent => {
  const username = `r${uuidv7().replaceAll('-', '').slice(-12)}`;
  return { body: { username, email: `${username}@example.org`, password: 'a long walk to the sea' } };
};

const mail = async (): Promise<Sent> => {
  await world.newUser();
  const { body } = await world.api('GET', '/api/outbox?limit=1', { token: world.admin.token });
  return { path: `/api/outbox/${body[0].id}` };
};

/** For worker hosts alone, whatever a person may do. */
const blob = (): Sent => ({ path: `/api/host/blobs/runs/${uuidv7()}/${'0'.repeat(64)}` });

const ownSchedule =
  (suffix = '', body?: unknown) =>
  async (): Promise<Sent> => {
    const sent = await ownWorkflow('/schedule')();
    await world.api('PUT', sent.path ?? '', { token: owner().token, body: { every: 'P1D' } });
    return { path: `${sent.path}${suffix}`, body };
  };

/** Agents are the installation's, and code: who runs one needs a grant, too. */
const someAgent =
  (suffix = '', body?: unknown, prefix = '/api') =>
  async (): Promise<Sent> => {
    const answer = await world.api('POST', '/api/myntrix/agents', {
      token: world.admin.token,
      body: newAgent,
    });
    return { path: `${prefix}/myntrix/agents/${answer.body.id}${suffix}`, body };
  };

/** Devices are the installation's. */
const someDevice =
  (suffix = '', body?: unknown, name = 'devices') =>
  async (): Promise<Sent> => {
    const answer = await world.api('POST', '/api/myntrix/devices', {
      token: world.admin.token,
      body: newDevice,
    });
    return { path: `/api/myntrix/${name}/${answer.body.id}${suffix}`, body };
  };

/** Where those that were connected are told to be so no more: they would talk on beside the other tests. */
const disconnects: string[] = [];
const deviceToConnect = async (): Promise<Sent> => {
  const sent = await someDevice()();
  disconnects.push(`${sent.path}/disconnect`);
  return { path: `${sent.path}/connect` };
};

const someDeviceSettings =
  (suffix = '', body?: unknown) =>
  async (): Promise<Sent> => {
    const { token } = world.admin;
    const { body: device } = await world.api('POST', '/api/myntrix/devices', { token, body: newDevice });
    const made = await world.api('POST', '/api/neosyntis/devices', { token, body: { device_id: device.id } });
    return { path: `/api/neosyntis/devices/${made.body.id}${suffix}`, body };
  };

const newDevice = { name: 'x', connectionString: 'mock://x' };
const newAgent = { name: 'x', configuration: { command: 'true', restart: 'on-failure' } };

const newTask = {
  name: 'x',
  schedule: '@yearly',
  overlap: 'allow_all',
  action: { type: 'api', url: 'http://127.0.0.1:9/' },
};

const ownTask =
  (suffix = '', body?: unknown) =>
  async (): Promise<Sent> => {
    const sent = { token: owner().token, body: newTask };
    const { body: task } = await world.api('POST', '/api/myntrix/tasks', sent);
    return { path: `/api/myntrix/tasks/${task.id}${suffix}`, body };
  };

const ownTick =
  (suffix = '') =>
  async (): Promise<Sent> => {
    const { path: run = '' } = await ownTask('/run')();
    const { body: tick } = await world.api('POST', run, { token: owner().token });
    return { path: `/api/myntrix/tasks/history/${tick.run_id}${suffix}` };
  };

/** One tick of a task that comes every day. */
const aDay = async (): Promise<Sent> => {
  const { path = '' } = await ownTask()();
  await world.api('PUT', path, { token: owner().token, body: { schedule: '@daily' } });
  return {
    path: `${path}/backfill`,
    body: { from: '2026-01-01T00:00:00.000Z', to: '2026-01-01T12:00:00.000Z' },
  };
};

const someReadings = (): Sent => ({
  body: [{ timestamp: new Date().toISOString(), metric_name: 'x', value: 1 }],
});

const ownSeries = async (): Promise<Sent> => {
  const { token } = owner();
  const metric_name = `m${uuidv7()}`;
  const body = [{ timestamp: new Date().toISOString(), metric_name, value: 1 }];
  await world.api('POST', '/api/neosyntis/telemetry/ingest', { token, body });
  const found = await world.api('GET', `/api/neosyntis/telemetry/series?metric_name=${metric_name}`, {
    token,
  });
  return { path: `/api/neosyntis/telemetry/series/${found.body[0].id}`, body: { retention_days: 30 } };
};

const nothing = (): Sent => ({});

const anybody = (status: number) => whos.map(() => status);

const table: Record<string, Row> = {
  'GET /health': [anybody(200)],
  'GET /ready': [anybody(200)],
  'GET /openapi.json': [anybody(200)],
  'GET /docs': [anybody(200)],
  'GET /docs/assets/{file}': [anybody(200), () => ({ path: '/docs/assets/swagger-ui.css' })],
  'GET /metrics': [[401, 403, 200, 200, 200]],
  'GET /api/system/status': [[401, 200, 200, 200, 200]],
  'GET /api/audit': [[401, 403, 403, 403, 200]],
  'GET /api/hosts': [[401, 200, 200, 200, 200]],
  'GET /api/hosts/{name}/ports': [[401, 403, 200, 200, 200], () => ({ path: '/api/hosts/local/ports' })],
  'DELETE /api/hosts/{name}': [[401, 403, 403, 403, 204], offlineHost],
  'GET /api/hosts/{name}/grants': [[401, 403, 403, 403, 200], hostGrants()],
  'PUT /api/hosts/{name}/grants': [[401, 403, 403, 403, 200], hostGrants({ users: [] })],
  'POST /api/hosts/enrolments': [[401, 403, 403, 403, 201], () => ({ body: {} })],
  'GET /api/hosts/enrolments': [[401, 403, 403, 403, 200]],
  'DELETE /api/hosts/enrolments/{id}': [[401, 403, 403, 403, 204], enrolment],
  // For hosts: no person's login is of use there, and none is needed to show an enrolment token.
  'POST /api/host/enrol': [anybody(401), () => ({ body: { token: 'vre_wrong', name: 'x' } })],
  'GET /api/host/settings': [anybody(401)],
  'POST /api/host/lease': [anybody(401), () => ({ body: { place: 'here', machine: 'this' } })],
  'PUT /api/host/lease': [anybody(401), () => ({ body: { generation: 1 } })],
  'GET /api/host/blobs/runs/{workflow_id}/{sha256}': [anybody(401), blob],
  'GET /api/host/blobs/uploads/{upload_id}': [
    anybody(401),
    () => ({ path: `/api/host/blobs/uploads/${uuidv7()}` }),
  ],
  'PUT /api/host/blobs/runs/{workflow_id}/{sha256}': [anybody(401), blob],
  'POST /api/temporal/codec/decode': [[401, 403, 403, 403, 200], () => ({ body: { payloads: [] } })],
  'POST /api/temporal/codec/session': [[401, 403, 403, 403, 204]],
  'GET /api/outbox': [[401, 403, 403, 403, 200]],
  'GET /api/outbox/{id}': [[401, 403, 403, 403, 200], mail],

  'POST /api/register': [[403, 403, 403, 403, 201], newAccount],
  'GET /api/verify-email': [anybody(200), () => ({ path: '/api/verify-email?token=AAAAAAAAAAAAAAAAAAAAAA' })],
  'POST /api/verify-email': [anybody(422), () => ({ body: { token: 'AAAAAAAAAAAAAAAAAAAAAA' } })],
  'POST /api/token': [
    anybody(401),
    () => ({ body: { username: `nobody-${uuidv7()}`, password: 'wrong password' }, isForOne: true }),
  ],
  'POST /api/token/refresh': [anybody(401), () => ({ body: { refresh_token: 'not-a-token' } })],
  'POST /api/password-reset': [
    anybody(202),
    () => ({ body: { email: `${uuidv7()}@example.org` }, isForOne: true }),
  ],
  'POST /api/password-reset/confirm': [
    anybody(422),
    () => ({ body: { token: 'AAAAAAAAAAAAAAAAAAAAAA', password: 'a long walk to the sea' } }),
  ],
  'POST /api/logout': [[401, 204, 204, 204, 204], freshLogin],
  'POST /api/users/me/password': [
    [401, 422, 422, 422, 422],
    () => ({ body: { old_password: 'not my password', new_password: 'another walk to the sea' } }),
  ],
  'GET /api/users/me': [[401, 200, 200, 200, 200]],
  'PUT /api/users/me': [[401, 200, 200, 200, 200], () => ({ body: {} })],
  'GET /api/users': [[401, 403, 403, 403, 200]],
  'GET /api/users/{id}': [[401, 403, 403, 403, 200], someUser()],
  'PUT /api/users/{id}': [[401, 403, 403, 403, 200], someUser({ role: 'operator' })],
  'DELETE /api/users/{id}': [[401, 403, 403, 403, 204], someUser()],
  'GET /api/api-tokens': [[401, 200, 200, 200, 200]],
  'POST /api/api-tokens': [[401, 201, 201, 201, 201], () => ({ body: newToken })],
  'GET /api/api-tokens/{id}': [[401, 200, 200, 200, 200], apiToken],
  'DELETE /api/api-tokens/{id}': [[401, 204, 204, 204, 204], apiToken],
  'POST /api/ws-ticket': [[401, 200, 200, 200, 200]],

  [`GET ${path}`]: [[401, 200, 200, 200, 200]],
  [`POST ${path}`]: [[401, 403, 201, 201, 201], () => ({ body: { name: 'x', steps } })],
  [`POST ${path}/validate`]: [[401, 200, 200, 200, 200], () => ({ body: { steps } })],
  [`POST ${path}/import`]: [
    [401, 403, 201, 201, 201],
    () => ({
      body: { document: { dsl: '1.0.3', namespace: 'test', name: 'a', version: '0.1.0' }, do: steps },
    }),
  ],
  [`GET ${path}/{id}`]: [[401, 404, 200, 404, 200], ownWorkflow()],
  [`PUT ${path}/{id}`]: [[401, 403, 200, 404, 200], ownWorkflow('', { name: 'y' })],
  [`DELETE ${path}/{id}`]: [[401, 403, 204, 404, 204], ownWorkflow()],
  [`GET ${path}/{id}/definition`]: [[401, 404, 200, 404, 200], ownWorkflow('/definition')],
  [`GET ${path}/{id}/graph`]: [[401, 404, 200, 404, 200], ownWorkflow('/graph')],
  [`GET ${path}/{id}/versions`]: [[401, 404, 200, 404, 200], ownWorkflow('/versions')],
  [`GET ${path}/{id}/versions/{version}`]: [[401, 404, 200, 404, 200], ownWorkflow('/versions/1')],
  [`POST ${path}/{id}/versions/{version}/restore`]: [
    [401, 403, 200, 404, 200],
    ownWorkflow('/versions/1/restore'),
  ],
  [`GET ${path}/{id}/diff`]: [[401, 404, 200, 404, 200], ownWorkflow('/diff?from=1')],
  [`GET ${path}/{id}/schedule`]: [[401, 404, 200, 404, 200], ownSchedule()],
  [`PUT ${path}/{id}/schedule`]: [[401, 403, 200, 404, 200], ownSchedule('', { after: 'P1D' })],
  [`DELETE ${path}/{id}/schedule`]: [[401, 403, 204, 404, 204], ownSchedule()],
  [`POST ${path}/{id}/schedule/pause`]: [[401, 403, 200, 404, 200], ownSchedule('/pause')],
  [`POST ${path}/{id}/schedule/resume`]: [[401, 403, 200, 404, 200], ownSchedule('/resume')],
  'POST /api/neosyntis/schedules/preview': [
    [401, 200, 200, 200, 200],
    () => ({ body: { cron: '0 6 * * *', timezone: 'Europe/Berlin' } }),
  ],
  [`POST ${path}/{id}/trigger`]: [[401, 403, 202, 404, 202], ownWorkflow('/trigger')],
  [`GET ${path}/{id}/status`]: [[401, 404, 200, 404, 200], ownWorkflow('/status')],
  [`GET ${path}/{id}/runs`]: [[401, 404, 200, 404, 200], ownWorkflow('/runs')],
  [`GET ${path}/{id}/notifications`]: [[401, 404, 200, 404, 200], ownWorkflow('/notifications')],
  [`PUT ${path}/{id}/notifications`]: [
    [401, 403, 200, 404, 200],
    ownWorkflow('/notifications', { on: ['failed'], email: ['ops@example.org'] }),
  ],
  'GET /api/neosyntis/runs': [[401, 200, 200, 200, 200]],
  'POST /api/neosyntis/runs/cancel': [[401, 403, 202, 202, 202], () => ({ body: { ids: [uuidv7()] } })],
  'POST /api/neosyntis/runs/rerun': [[401, 403, 202, 202, 202], () => ({ body: { ids: [uuidv7()] } })],
  'GET /api/neosyntis/runs/{run_id}': [[401, 404, 200, 404, 200], anyRun()],
  'GET /api/neosyntis/runs/{run_id}/steps': [[401, 404, 200, 404, 200], anyRun('/steps')],
  'GET /api/neosyntis/runs/{run_id}/step': [[401, 404, 200, 404, 200], anyRun('/step?path=/do/0/a')],
  'GET /api/neosyntis/runs/{run_id}/step/input': [
    [401, 404, 200, 404, 200],
    anyRun('/step/input?path=/do/0/a'),
  ],
  'GET /api/neosyntis/runs/{run_id}/step/output': [
    [401, 404, 200, 404, 200],
    anyRun('/step/output?path=/do/0/a'),
  ],
  'GET /api/neosyntis/runs/{run_id}/timeline': [[401, 404, 200, 404, 200], anyRun('/timeline')],
  'GET /api/neosyntis/runs/{run_id}/children': [[401, 404, 200, 404, 200], anyRun('/children')],
  'POST /api/neosyntis/runs/{run_id}/rerun': [[401, 403, 202, 404, 202], anyRun('/rerun')],
  'POST /api/neosyntis/runs/{run_id}/cancel': [
    [401, 403, 202, 404, 202],
    ownRun('/api/neosyntis/runs', '/cancel'),
  ],
  'POST /api/neosyntis/events': [[401, 403, 202, 202, 202], () => ({ body: someEvent() })],
  // The run has ended; test/neosyntis/events.test.ts has some that go on.
  'POST /api/neosyntis/runs/{run_id}/events': [[401, 403, 409, 404, 409], anyRun('/events', someEvent())],
  // One that has ended.
  'POST /api/neosyntis/runs/{run_id}/pause': [[401, 403, 409, 404, 409], anyRun('/pause')],
  'POST /api/neosyntis/runs/{run_id}/resume': [[401, 403, 409, 404, 409], anyRun('/resume')],
  'GET /api/neosyntis/approvals': [[401, 200, 200, 200, 200]],
  'GET /api/neosyntis/approvals/{id}': [[401, 404, 200, 404, 200], ownApproval()],
  'POST /api/neosyntis/approvals/{id}': [[401, 404, 200, 404, 200], ownApproval({ approved: true })],
  'POST /api/neosyntis/runs/{run_id}/approvals/{path}': [
    [401, 404, 200, 404, 200],
    ownApproval({ approved: true }, 'path'),
  ],
  'GET /api/neosyntis/secrets': [[401, 403, 200, 200, 200]],
  'POST /api/neosyntis/secrets': [
    [401, 403, 201, 201, 201],
    () => ({ body: { name: newSecretName(), value: 'x' } }),
  ],
  'GET /api/neosyntis/secrets/{name}': [[401, 403, 200, 404, 404], ownSecret()],
  'PUT /api/neosyntis/secrets/{name}': [[401, 403, 200, 201, 201], ownSecret({ value: 'y' })],
  'DELETE /api/neosyntis/secrets/{name}': [[401, 403, 204, 404, 404], ownSecret()],
  'POST /api/neosyntis/telemetry/ingest': [[401, 403, 200, 200, 200], someReadings],
  'GET /api/neosyntis/telemetry': [[401, 200, 200, 200, 200]],
  'GET /api/neosyntis/telemetry/series': [[401, 200, 200, 200, 200]],
  'PUT /api/neosyntis/telemetry/series/{id}': [[401, 403, 200, 404, 200], ownSeries],
  // For worker hosts; test/neosyntis/secrets.test.ts has one.
  'POST /api/host/secrets': [anybody(401), () => ({ body: { run_id: uuidv7(), names: ['a'] } })],
  'GET /api/neosyntis/devices': [[401, 200, 200, 200, 200]],
  'POST /api/neosyntis/devices': [
    [401, 403, 201, 201, 201],
    async () => ({ body: { device_id: (await someDevice()()).path?.split('/').at(-1) } }),
  ],
  'GET /api/neosyntis/devices/{id}': [[401, 200, 200, 200, 200], someDeviceSettings()],
  'PUT /api/neosyntis/devices/{id}': [
    [401, 403, 200, 200, 200],
    someDeviceSettings('', { desired: { $110: 500 } }),
  ],
  'DELETE /api/neosyntis/devices/{id}': [[401, 403, 204, 204, 204], someDeviceSettings()],
  'POST /api/neosyntis/devices/{id}/apply': [[401, 403, 409, 409, 409], someDeviceSettings('/apply')],
  'POST /api/host/device-settings': [anybody(401), () => ({ body: { device_id: uuidv7() } })],
  'PUT /api/host/device-settings': [
    anybody(401),
    () => ({ body: { device_id: uuidv7(), reported: {}, problems: {} } }),
  ],
  'POST /api/host/device-secrets': [anybody(401), () => ({ body: { device_id: uuidv7(), names: ['a'] } })],
  'GET /api/myntrix/agents': [[401, 200, 200, 200, 200]],
  'POST /api/myntrix/agents': [[401, 403, 403, 403, 201], () => ({ body: newAgent })],
  'GET /api/myntrix/agents/{id}': [[401, 200, 200, 200, 200], someAgent()],
  'PUT /api/myntrix/agents/{id}': [[401, 403, 403, 403, 200], someAgent('', { name: 'y' })],
  'DELETE /api/myntrix/agents/{id}': [[401, 403, 204, 204, 204], someAgent()],
  'POST /api/myntrix/agents/{id}/start': [[401, 403, 403, 403, 202], someAgent('/start')],
  'POST /api/myntrix/agents/{id}/stop': [[401, 403, 202, 202, 202], someAgent('/stop')],
  'POST /api/myntrix/agents/{id}/restart': [[401, 403, 403, 403, 202], someAgent('/restart')],
  'POST /api/myntrix/manage-agents': [
    [401, 403, 202, 202, 202],
    async () => ({ body: { agent_id: (await someAgent()()).path?.split('/').at(-1), action: 'stop' } }),
  ],
  'GET /api/myntrix/agents/{id}/logs': [[401, 200, 200, 200, 200], someAgent('/logs')],
  'GET /api/myntrix/devices': [[401, 200, 200, 200, 200]],
  'POST /api/myntrix/devices': [[401, 403, 201, 201, 201], () => ({ body: newDevice })],
  'GET /api/myntrix/devices/{id}': [[401, 200, 200, 200, 200], someDevice()],
  'PUT /api/myntrix/devices/{id}': [[401, 403, 200, 200, 200], someDevice('', { name: 'y' })],
  'DELETE /api/myntrix/devices/{id}': [[401, 403, 204, 204, 204], someDevice()],
  'POST /api/myntrix/devices/{id}/connect': [[401, 403, 202, 202, 202], deviceToConnect],
  'POST /api/myntrix/devices/{id}/disconnect': [[401, 403, 202, 202, 202], someDevice('/disconnect')],
  'POST /api/myntrix/devices/{id}/command': [
    [401, 403, 409, 409, 409],
    someDevice('/command', { command: 'M105' }),
  ],
  'POST /api/myntrix/devices/{id}/emergency-stop': [[401, 403, 503, 503, 503], someDevice('/emergency-stop')],
  'GET /api/myntrix/devices/{id}/commands': [[401, 200, 200, 200, 200], someDevice('/commands')],
  'POST /api/myntrix/devices/{id}/upload': [[401, 403, 415, 415, 415], someDevice('/upload', {})],
  'GET /api/myntrix/devices/{id}/jobs': [[401, 200, 200, 200, 200], someDevice('/jobs')],
  'PUT /api/myntrix/devices/{id}/jobs': [
    [401, 403, 422, 422, 422],
    someDevice('/jobs', { order: [uuidv7()] }),
  ],
  'GET /api/myntrix/hardware': [[401, 200, 200, 200, 200]],
  'GET /api/myntrix/hardware/{id}/status': [
    [401, 200, 200, 200, 200],
    someDevice('/status', undefined, 'hardware'),
  ],
  'PUT /api/myntrix/hardware/{id}/status': [
    [401, 403, 202, 202, 202],
    someDevice('/status', { status: 'disconnected' }, 'hardware'),
  ],
  'GET /api/myntrix/tasks': [[401, 200, 200, 200, 200]],
  'POST /api/myntrix/tasks': [[401, 403, 201, 201, 201], () => ({ body: newTask })],
  'POST /api/myntrix/tasks/preview': [[401, 200, 200, 200, 200], () => ({ body: { schedule: '@daily' } })],
  'GET /api/myntrix/tasks/history': [[401, 200, 200, 200, 200]],
  'GET /api/myntrix/tasks/history/{run_id}': [[401, 404, 200, 404, 200], ownTick()],
  'POST /api/myntrix/tasks/history/{run_id}/rerun': [[401, 403, 202, 404, 202], ownTick('/rerun')],
  'GET /api/myntrix/tasks/{id}': [[401, 404, 200, 404, 200], ownTask()],
  'PUT /api/myntrix/tasks/{id}': [[401, 403, 200, 404, 200], ownTask('', { name: 'y' })],
  'DELETE /api/myntrix/tasks/{id}': [[401, 403, 204, 404, 204], ownTask()],
  'GET /api/myntrix/tasks/{id}/history': [[401, 404, 200, 404, 200], ownTask('/history')],
  'POST /api/myntrix/tasks/{id}/run': [[401, 403, 202, 404, 202], ownTask('/run')],
  'POST /api/myntrix/tasks/{id}/backfill': [[401, 403, 202, 404, 202], aDay],
  'POST /api/myntrix/tasks/{id}/pause': [[401, 403, 200, 404, 200], ownTask('/pause')],
  'POST /api/myntrix/tasks/{id}/resume': [[401, 403, 200, 404, 200], ownTask('/resume')],
  'GET /api/myntrix/jobs': [[401, 200, 200, 200, 200]],
  'GET /api/myntrix/jobs/{id}': [[401, 404, 200, 404, 200], anyJob()],
  'GET /api/myntrix/jobs/{id}/logs': [[401, 404, 200, 404, 200], anyJob('/logs')],
  'POST /api/myntrix/jobs/{id}/cancel': [[401, 403, 202, 404, 202], ownRun('/api/myntrix/jobs', '/cancel')],
  // A run is no device's job.
  'POST /api/myntrix/jobs/{id}/pause': [[401, 403, 409, 404, 409], anyJob('/pause')],
  'POST /api/myntrix/jobs/{id}/resume': [[401, 403, 409, 404, 409], anyJob('/resume')],
  'POST /api/myntrix/jobs/{id}/decision': [
    [401, 403, 409, 404, 409],
    anyJob('/decision', { action: 'cancel' }),
  ],
  'GET /api/myntrix/system-metrics': [[401, 200, 200, 200, 200]],
  'GET /api/myntrix/system-metrics/history': [[401, 200, 200, 200, 200]],
  'GET /api/myntrix/visualization-data': [[401, 200, 200, 200, 200]],

  'GET /ws/events': [[401, 101, 101, 101, 101]],
  'GET /ws/myntrix/agents/{id}/logs': [[401, 101, 101, 101, 101], someAgent('/logs', undefined, '/ws')],
  'GET /ws/myntrix/telemetry/{deviceId}': [
    [401, 101, 101, 101, 101],
    async () => ({
      path: (await someDevice()()).path?.replace('/api/myntrix/devices', '/ws/myntrix/telemetry') ?? '',
    }),
  ],
  'GET /ws/myntrix/visualization': [[401, 101, 101, 101, 101]],
  'GET /ws/neosyntis/runs/{run_id}': [[401, 404, 101, 404, 101], anyRun('', undefined, '/ws/neosyntis/runs')],
};

beforeAll(async () => {
  world = await enterWorld('sql');
  contract = await readContract(world.api);
  people = {
    nobody: undefined,
    viewer: await world.newUser('viewer'),
    owner: await world.newUser('operator'),
    other: await world.newUser('operator'),
    admin: world.admin,
  };
});
afterAll(async () => {
  const { token } = world.admin;
  for (const path of disconnects) await expectStatus(202, world.api('POST', path, { token }));
  await world.close();
});

test('Every route and WebSocket stands in this table, and nothing else does', () => {
  expect(Object.keys(table).sort()).toEqual([...contract.operations].sort());
});

describe('Who may do what', () => {
  test.each(Object.entries(table))('%s', async (operation, [statuses, send = nothing]) => {
    const [method = '', route = ''] = operation.split(' ');
    const seen: number[] = [];
    let sent: Sent | undefined;
    for (const who of whos) {
      sent ??= await send(who);
      const { path: sentTo = route, body, token = people[who]?.token } = sent;
      if (route.startsWith('/ws/')) {
        seen.push(await upgradeStatus(sentTo, token));
        continue;
      }
      const answer = await world.api(method, sentTo, { ...(token ? { token } : {}), body });
      seen.push(answer.status);
      if (sent.isForOne || (method !== 'GET' && answer.status < 400)) sent = undefined;
      expect(contract.violations(operation, answer)).toEqual([]);
    }
    expect(Object.fromEntries(whos.map((who, index) => [who, seen[index]]))).toEqual(
      Object.fromEntries(whos.map((who, index) => [who, statuses[index]])),
    );
  });
});

async function upgradeStatus(socketPath: string, token: string | undefined): Promise<number> {
  try {
    const socket = await openSocket(new URL(socketPath, world.url.replace('http', 'ws')), token);
    socket.close();
    return 101;
  } catch (error) {
    return (error as { status: number }).status; // openSocket's refusal
  }
}
