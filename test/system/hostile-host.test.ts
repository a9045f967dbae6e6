// biome-ignore-all lint/suspicious/noTemplateCurlyInString: runtime expressions are strings.
import { randomBytes } from 'node:crypto';
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { topics } from '../../domain/names.ts';
import { busClientId, supervisedHostCredential } from '../../drivers/bus/credentials.ts';
import { connectBus } from '../../drivers/bus/mqtt.ts';
import type { Bus } from '../../drivers/bus/port.ts';
import { until } from '../support/client.ts';
import { testStack } from '../support/stack.ts';
import { enterWorld, expectStatus, type TestUser, type World } from '../support/world.ts';

let world: World;
let user: TestUser;
let bus: Bus;
const folder = mkdtempSync(join(tmpdir(), 'vareon-hostile-'));
const name = `liar-${randomBytes(4).toString('hex')}`;

beforeAll(async () => {
  world = await enterWorld();
  user = await world.newUser('operator', { runsCode: true });
  bus = await joinBus();
});
afterAll(async () => {
  await bus.close();
  await world.api('DELETE', `/api/hosts/${name}`, { token: world.admin.token });
  await world.close();
  rmSync(folder, { recursive: true });
});

/** Joins as a host and logs in to the bus, as its owner may with what the platform tells it. */
async function joinBus(): Promise<Bus> {
  const { token } = world.admin;
  const enrolment = await expectStatus(201, world.api('POST', '/api/hosts/enrolments', { token, body: {} }));
  const { credential, settings } = await expectStatus(
    201,
    world.api('POST', '/api/host/enrol', { body: { token: enrolment.token, name } }),
  );
  const { url, username, password } = settings.bus;
  const client = connectBus({
    url,
    username,
    password: password ?? credential,
    clientId: busClientId(username, 'host'),
    onError: () => {},
  });
  await until(
    () =>
      client.check().then(
        () => true,
        () => false,
      ),
    Boolean,
    60_000,
  );
  return client;
}

async function start(steps: unknown[]): Promise<string> {
  const id = await world.newWorkflow(user, steps);
  const { token } = user;
  const path = `/api/neosyntis/workflows/${id}/trigger`;
  return (await expectStatus(202, world.api('POST', path, { token, body: {} }))).run_id;
}

describe('A host that lies', () => {
  test('writes nothing into the log of a step that runs elsewhere, nor of one that does not run', async () => {
    const go = join(folder, 'go');
    chmodSync(folder, 0o755); // the step looks into it as another user
    const command = `until [ -e ${go} ]; do sleep 0.1; done; echo honest`;
    const runId = await start([{ speak: { run: { shell: { command } } } }]);
    const run = await world.untilRun(user, runId, ({ steps }) => steps[0]?.status === 'running');
    const text = 'forged by another host\n';
    const chunk = { run_id: runId, iteration: [], stream: 'stdout', offset: 0, length: text.length, text };
    for (const path of [run.steps[0].path, '/do/9/invented'])
      for (const attempt of [1, 2])
        bus.publish(topics.hostLogs(name), { ...chunk, path, attempt, at: new Date().toISOString() });
    await bus.check(); // the broker has them
    writeFileSync(go, '');
    // What it printed may come a moment after its end.
    const ended = await world.untilRun(
      user,
      runId,
      ({ status, steps }) => status === 'completed' && steps[0].logs.length >= 'honest\n'.length,
    );
    expect(ended.output).toBe('honest\n');
    expect(ended.steps[0].logs).toBe('honest\n');
    const { body } = await world.api('GET', `/api/myntrix/jobs/${runId}/logs`, { token: user.token });
    expect(body.text).toBe('honest\n');
  });

  test('gets no secrets of steps that are not open on it, though the run names them', async () => {
    const { token } = user;
    const [mine, later] = ['mine', 'later'].map((kind) => `${kind}_${randomBytes(5).toString('hex')}`);
    for (const secret of [mine, later])
      await expectStatus(
        201,
        world.api('POST', '/api/neosyntis/secrets', { token, body: { name: secret, value: `of ${secret}` } }),
      );
    const step = (secret: unknown) => ({
      run: { shell: { command: 'sleep 600', environment: { S: `\${ $secrets.${secret} }` } } },
    });
    const runId = await start([{ one: step(mine) }, { other: step(later) }]);
    const key = Buffer.from(readFileSync(`${testStack().dataDir}/keys/bus.key`, 'utf8'), 'base64');
    const ask = (...names: unknown[]) =>
      world.api('POST', '/api/host/secrets', {
        token: supervisedHostCredential(key, 'local'),
        body: { run_id: runId, names },
      });
    await until(
      () => ask(mine),
      ({ status }) => status === 200,
      60_000,
    );
    expect((await ask(later)).status).toBe(404);
    expect((await ask(mine, later)).status).toBe(404);
    await world.api('POST', `/api/neosyntis/runs/${runId}/cancel`, { token });
    await world.untilRun(user, runId, ({ status }) => status === 'cancelled');
    expect((await ask(mine)).status).toBe(404);
  });
});
