import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { uniqueNap } from '../processes/rig.ts';
import { until } from '../support/client.ts';
import { createHosts } from '../support/host.ts';
import { enterWorld, expectStatus, type TestUser, type World } from '../support/world.ts';

/** Agents whose host is gone for good. */
let world: World;
let user: TestUser;
let hosts: ReturnType<typeof createHosts>;
beforeAll(async () => {
  world = await enterWorld('sql', 'temporal');
  user = await world.newUser('operator', { runsCode: true });
  hosts = createHosts({ url: world.url, api: world.api, token: world.admin.token });
});
afterAll(async () => {
  await hosts.close();
  await world.close();
});

const path = '/api/myntrix/agents';
const ask = (method: string, rest: string, body?: object) =>
  world.api(method, `${path}${rest}`, { token: user.token, ...(body ? { body } : {}) });
const nap = () => ({ command: 'sleep', args: [uniqueNap()] });
const removeHost = (name: string) =>
  expectStatus(204, world.api('DELETE', `/api/hosts/${name}`, { token: world.admin.token }));

/** Agents that run on a host of their own, which is killed, and everything on it with it. */
async function lostWithTheirHost(name: string, count: number): Promise<string[]> {
  const host = await hosts.join(name);
  const started = Array.from({ length: count }, async () => {
    const configuration = { ...nap(), host: name };
    const { id } = await expectStatus(201, ask('POST', '', { name: 'lost', configuration }));
    const { agent } = await expectStatus(202, ask('POST', `/${id}/start?wait=60`));
    return agent as { id: string; pid: number };
  });
  const agents = await Promise.all(started);
  host.signal('SIGKILL');
  for (const { pid } of agents) process.kill(pid, 'SIGKILL'); // they would outlive it
  await host.ended;
  await hosts.untilStatus(name, 'offline');
  return agents.map(({ id }) => id);
}

test('What was told to stop, or deleted, while its host was away is so when that host is deleted', async () => {
  const name = `lost-${Date.now()}`;
  const [stopped = '', deleted = ''] = await lostWithTheirHost(name, 2);
  const { job_id } = await expectStatus(202, ask('POST', `/${stopped}/stop`));
  await expectStatus(204, ask('DELETE', `/${deleted}`));
  const taken = "select id from agents where host = ? and desired = 'stopped' and taken = epoch";
  await until(
    () => world.sql(taken, [name]),
    (rows) => rows.length === 2,
    60_000,
  );
  await removeHost(name);

  const agent = await until(
    async () => (await ask('GET', `/${stopped}`)).body,
    ({ status }) => status === 'stopped',
    120_000,
  );
  expect(agent).toMatchObject({ desired: 'stopped', pid: null, host: name });
  const { body: job } = await world.api('GET', `/api/myntrix/jobs/${job_id}`, { token: user.token });
  expect(job).toMatchObject({ type: 'agent_stop', status: 'completed' });
  const handle = world.temporal.workflow.getHandle(`agent-${deleted}`);
  await until(
    async () => (await handle.describe()).status.name,
    (status) => status === 'COMPLETED',
    120_000,
  );
  expect(await world.sql('select id from agents where id = ?', [deleted])).toEqual([]);

  // It goes on at another host.
  await expectStatus(
    200,
    ask('PUT', `/${stopped}`, { name: 'moved', configuration: { ...nap(), host: 'local' } }),
  );
  const started = await expectStatus(202, ask('POST', `/${stopped}/start?wait=60`));
  expect(started.agent).toMatchObject({ status: 'running', host: 'local' });
  await expectStatus(204, ask('DELETE', `/${stopped}`));
});
