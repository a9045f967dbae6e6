import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { Connection, Client as TemporalClient } from '@temporalio/client';
import { startLineDevice } from '../test/devices/line-device.ts';
import { createClient } from '../test/support/client.ts';
import { createHosts } from '../test/support/host.ts';
import { openSocket } from '../test/support/socket.ts';
import { type Installation, withInstallation } from './installation.ts';
import { percentile, tenths } from './percentile.ts';

/**
 * How long what the platform shows is not true any more, in milliseconds until it is seen over HTTP, by somebody who
 * asks every 10 ms: a token that was revoked still lets in at the API that revoked it; a device that is gone, or there
 * again, is shown as it was; the agent, the device and the name of a host that was killed or frozen are shown as if it
 * were there; runs, agents and devices whose workflows somebody terminated have none that looks after them.
 */
const { values } = parseArgs({
  options: { rounds: { type: 'string', default: '10' }, moments: { type: 'string', default: '8' } },
});
const ROUNDS = Number(values.rounds);
/** In each a run's, an agent's and a device's workflow are terminated. */
const MOMENTS = Number(values.moments);
const RECONCILED_EVERY_MS = 15_000;
const LOOK_EVERY_MS = 10;

const goals = {
  revoked_http: 1_000,
  revoked_socket: 1_000,
  device_cut: 2_000,
  device_back: 2_000,
  host_killed: 5_000,
  host_frozen: 10_000,
  workflow_ended: 30_000,
};
type Measured = Record<keyof typeof goals, number[]>;

const agents = '/api/myntrix/agents';
const devices = '/api/myntrix/devices';
const nap = { configuration: { command: 'sleep', args: ['100000'] } };
interface Shown {
  id: string;
  status: string;
}

await withInstallation(async (installation) => {
  const measured: Measured = {
    ...(await revocations(installation)),
    ...(await lines(installation)),
    ...(await hosts(installation)),
    workflow_ended: await endings(installation),
  };
  const shown = Object.fromEntries(
    Object.entries(measured).map(([name, took]) => [
      name,
      { count: took.length, p50_ms: tenths(percentile(took, 0.5)), max_ms: tenths(Math.max(...took)) },
    ]),
  );
  const ok = Object.entries(goals).every(([name, goal]) => (shown[name]?.max_ms ?? Infinity) <= goal);
  console.log(JSON.stringify({ bench: 'freshness', ok, ...shown, goals }));
  process.exitCode = ok ? 0 : 1;
});

/** From now on, until it is so; Infinity when it is not within five times what it should take. */
async function since(goal: keyof typeof goals, isSo: () => Promise<boolean>): Promise<number> {
  const startedAt = performance.now();
  const tookMs = () => performance.now() - startedAt;
  while (!(await isSo())) {
    if (tookMs() > 5 * goals[goal]) return Number.POSITIVE_INFINITY;
    await delay(LOOK_EVERY_MS);
  }
  return tookMs();
}

async function revocations({ stack, call }: Installation) {
  const api = createClient(stack.apiUrl);
  const account = { username: 'fleeting', email: 'fleeting@example.org', password: 'a long walk to the sea' };
  const { id } = await call<Shown>('POST', '/api/register', account);
  await call('PUT', `/api/users/${id}`, { role: 'operator', is_verified: true });
  const took = { revoked_http: [] as number[], revoked_socket: [] as number[] };
  const { username, password } = account;
  for (let round = 0; round < ROUNDS; round++) {
    const token: string = (await api('POST', '/api/token', { body: { username, password } })).body
      .access_token;
    const socket = await openSocket(new URL('/ws/events', stack.apiUrl.replace('http', 'ws')), token);
    await api('POST', '/api/logout', { token });
    const closed = socket.closed.then(() => true);
    const [http, ws] = await Promise.all([
      since('revoked_http', async () => (await api('GET', '/api/users/me', { token })).status === 401),
      since('revoked_socket', () => Promise.race([closed, delay(0, false)])),
    ]);
    took.revoked_http.push(http);
    took.revoked_socket.push(ws);
  }
  return took;
}

async function lines(installation: Installation) {
  const { call } = installation;
  const answer = (said: string) => `${said} done`;
  let device = await startLineDevice(false, answer);
  const port = Number(new URL(device.address).port);
  const id = await connected(installation, device.address);
  const is = async () => (await call<Shown>('GET', `${devices}/${id}`)).status;
  const took = { device_cut: [] as number[], device_back: [] as number[] };
  for (let round = 0; round < ROUNDS; round++) {
    const cut = since('device_cut', async () => (await is()) !== 'connected');
    await device.close(); // and nobody can connect to it
    took.device_cut.push(await cut);
    device = await startLineDevice(false, answer, port);
    while (device.connections === 0) await delay(1);
    took.device_back.push(await since('device_back', async () => (await is()) === 'connected'));
  }
  await call('DELETE', `${devices}/${id}`);
  await device.close();
  return took;
}

async function connected({ call }: Installation, connectionString: string, more: object = {}) {
  const configuration = { protocol: 'lines', reconnect: { initialMs: 500, maxMs: 500 } };
  const { id } = await call<Shown>('POST', devices, { name: 'x', connectionString, configuration, ...more });
  const { status } = await call<Shown>('POST', `${devices}/${id}/connect?wait=60`);
  if (status !== 'connected') throw new Error(`the device is ${status}`);
  return id;
}

/** Another host with an agent and a device: until it is offline, and both are unknown. */
async function hosts(installation: Installation) {
  const { stack, call } = installation;
  const permissions = ['system:hosts:read', 'system:hosts:write'];
  const { token } = await call<{ token: string }>('POST', '/api/api-tokens', { name: 'bench', permissions });
  const others = createHosts({ url: stack.apiUrl, api: createClient(stack.apiUrl), token });
  const left = new Set<number>(); // agents outlive their hosts
  const device = await startLineDevice(false, (said) => `${said} done`);
  const took = { host_killed: [] as number[], host_frozen: [] as number[] };
  try {
    for (let round = 0; round < ROUNDS; round++)
      for (const [name, signal] of [
        ['host_killed', 'SIGKILL'],
        ['host_frozen', 'SIGSTOP'],
      ] as const) {
        const called = `${name.replace('_', '-')}-${round}`;
        const host = await others.join(called);
        const deviceId = await connected(installation, device.address, { host: called });
        const configuration = { ...nap.configuration, host: called };
        const agent = await call<Shown>('POST', agents, { name: called, configuration });
        const { agent: started } = await call<{ agent: { pid: number } }>(
          'POST',
          `${agents}/${agent.id}/start?wait=60`,
        );
        left.add(started.pid);
        host.signal(signal);
        took[name].push(
          await since(name, async () => {
            const [known, one, other] = await Promise.all([
              others.look(called),
              call<Shown>('GET', `${agents}/${agent.id}`),
              call<Shown>('GET', `${devices}/${deviceId}`),
            ]);
            return known.status === 'offline' && one.status === 'unknown' && other.status === 'unknown';
          }),
        );
        host.signal('SIGKILL');
        await call('DELETE', `/api/hosts/${called}`);
        for (const gone of [`${agents}/${agent.id}`, `${devices}/${deviceId}`]) await call('DELETE', gone);
      }
  } finally {
    await others.close();
    for (const pid of left) process.kill(pid, 'SIGKILL');
    await device.close();
  }
  return took;
}

/** Runs are shown as failed then, and agents and devices have another workflow; each at a moment by chance. */
async function endings(installation: Installation): Promise<number[]> {
  const { stack, call } = installation;
  const connection = await Connection.connect({ address: stack.temporalAddress });
  const temporal = new TemporalClient({ connection }).workflow;
  const steps = [{ long: { wait: { hours: 1 } } }];
  const { id: workflow } = await call<Shown>('POST', '/api/neosyntis/workflows', { name: 'x', steps });
  const device = await startLineDevice(false, (said) => `${said} done`);
  const deviceId = await connected(installation, device.address);
  const agent = await call<Shown>('POST', agents, { name: 'x', ...nap });
  await call('POST', `${agents}/${agent.id}/start?wait=60`);
  const took: number[] = [];
  try {
    for (let moment = 0; moment < MOMENTS; moment++) {
      const { run_id: run } = await call<{ run_id: string }>(
        'POST',
        `/api/neosyntis/workflows/${workflow}/trigger`,
      );
      await delay(Math.random() * RECONCILED_EVERY_MS);
      const goneOn = async (id: string) => {
        await temporal.getHandle(id).terminate('by hand');
        return since(
          'workflow_ended',
          async () => (await temporal.getHandle(id).describe()).status.name === 'RUNNING',
        );
      };
      const failed = async () => {
        await temporal.getHandle(run).terminate('by hand');
        return since(
          'workflow_ended',
          async () => (await call<Shown>('GET', `/api/neosyntis/runs/${run}`)).status === 'failed',
        );
      };
      took.push(
        ...(await Promise.all([failed(), goneOn(`agent-${agent.id}`), goneOn(`device-${deviceId}`)])),
      );
    }
  } finally {
    await call('POST', `${agents}/${agent.id}/stop?wait=60`); // it would outlive the installation
    await call('POST', `${devices}/${deviceId}/disconnect?wait=60`);
    await device.close();
    await connection.close();
  }
  return took;
}
