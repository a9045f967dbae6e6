import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { running, uniqueNap } from '../processes/rig.ts';
import { until } from '../support/client.ts';
import { countLegs, goOnInAnother } from '../support/legs.ts';
import { enterWorld, expectStatus, type TestUser, type World } from '../support/world.ts';

let world: World;
let user: TestUser;
beforeAll(async () => {
  world = await enterWorld('temporal');
  user = await world.newUser('operator', { runsCode: true });
});
afterAll(() => world.close());

const path = '/api/myntrix/agents';
const ask = (method: string, rest: string, body?: object) =>
  world.api(method, `${path}${rest}`, { token: user.token, ...(body ? { body } : {}) });

test('An agent whose workflow has a long history goes on in another execution: the same process, and obeys', async () => {
  const nap = uniqueNap();
  const configuration = { command: 'sleep', args: [nap] };
  const { id } = await expectStatus(201, ask('POST', '', { name: 'lasting', configuration }));
  const { agent: first } = await expectStatus(202, ask('POST', `/${id}/start?wait=60`));
  const handle = world.temporal.workflow.getHandle(`agent-${id}`);
  await goOnInAnother(world, `agent-${id}`);
  expect(await countLegs(world, `agent-${id}`)).toBe(2);
  expect((await ask('GET', `/${id}`)).body).toMatchObject({ status: 'running', pid: first.pid, restarts: 0 });
  const { agent: second } = await expectStatus(202, ask('POST', `/${id}/restart?wait=60`));
  expect(second).toMatchObject({ status: 'running', restarts: 0 });
  expect(second.pid).not.toBe(first.pid);
  expect(running(nap)).toContain(String(second.pid));
  expect(running(nap)).not.toContain(String(first.pid));
  process.kill(second.pid, 'SIGKILL'); // its host looks after it as before
  const third = await until(
    async () => (await ask('GET', `/${id}`)).body,
    ({ status, pid }) => status === 'running' && pid !== second.pid,
    60_000,
  );
  expect(third).toMatchObject({ restarts: 1 });
  const { agent: last } = await expectStatus(202, ask('POST', `/${id}/stop?wait=60`));
  expect(last).toMatchObject({ status: 'stopped', desired: 'stopped', pid: null });
  await until(
    async () => running(nap),
    ({ length }) => length === 0,
    60_000,
  );
  await expectStatus(204, ask('DELETE', `/${id}`));
  await until(
    async () => (await handle.describe()).status.name,
    (status) => status === 'COMPLETED',
    60_000,
  );
});
