import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { until } from '../support/client.ts';
import { createHosts } from '../support/host.ts';
import { enterWorld, type World } from '../support/world.ts';

let world: World;
let hosts: ReturnType<typeof createHosts>;
const unique = Date.now().toString(36);

beforeAll(async () => {
  world = await enterWorld('sql');
  hosts = createHosts({ url: world.url, api: world.api, token: world.admin.token });
});
afterAll(async () => {
  await hosts.close();
  await world.close();
});

const enrol = (token: string, name: string) =>
  world.api('POST', '/api/host/enrol', { body: { token, name } });
const onHost = (name: string, command: string, more: object = {}) => [
  { step: { run: { shell: { command } }, metadata: { host: name, ...more } } },
];

describe('An enrolment token', () => {
  test('is good for one host, which gets a credential of its own that is of no use to people', async () => {
    const token = await hosts.newToken({ capabilities: { rack: 3 } });
    expect(token).toMatch(/^vre_[A-Za-z0-9_-]{43}$/);
    const name = `one-${unique}`;
    const { status, body } = await enrol(token, name);
    expect(status).toBe(201);
    expect(body).toMatchObject({
      credential: expect.stringMatching(/^vrh_/),
      settings: { name, temporal: { namespace: 'default' }, bus: { username: `host-${name}` } },
    });
    expect((await enrol(token, `two-${unique}`)).status).toBe(401);
    const mine = { token: body.credential };
    expect((await world.api('GET', '/api/host/settings', mine)).body).toEqual(body.settings);
    expect((await world.api('GET', '/api/hosts', mine)).status).toBe(401);
    expect((await world.api('GET', '/api/users/me', mine)).status).toBe(401);
    expect(await hosts.look(name)).toMatchObject({ status: 'offline', labels: { rack: 3 } });
    const [stored] = await world.sql<{ text: string }>(
      "select string_agg(h::text, '') || (select coalesce(string_agg(e::text, ''), '') from host_enrolments e) as text from hosts h",
    );
    expect(stored?.text).not.toContain(body.credential);
    const { body: audit } = await world.api('GET', '/api/audit?action=POST%20/api/host/enrol', {
      token: world.admin.token,
    });
    expect(audit.map((line: { actor: string }) => line.actor)).toContain(`host ${name}`);
    expect(JSON.stringify(audit)).not.toContain(token);
  });

  test('is refused when it is wrong, expired or withdrawn', async () => {
    expect((await enrol('vre_wrong', 'x')).status).toBe(401);
    const token = world.admin.token;
    const { body: late } = await world.api('POST', '/api/hosts/enrolments', { token, body: {} });
    await world.sql("update host_enrolments set expires_at = now() - interval '1 second' where id = ?", [
      late.id,
    ]);
    expect((await enrol(late.token, 'x')).status).toBe(401);
    const { body } = await world.api('POST', '/api/hosts/enrolments', { token, body: {} });
    const listed = await world.api('GET', '/api/hosts/enrolments', { token });
    expect(listed.body.map(({ id }: { id: string }) => id)).toContain(body.id);
    expect(listed.text).not.toContain('vre_');
    expect((await world.api('DELETE', `/api/hosts/enrolments/${body.id}`, { token })).status).toBe(204);
    expect((await enrol(body.token, 'x')).status).toBe(401);
  });

  test('that names a host is for that one only, and takes over a name that is online; another does not', async () => {
    const named = await hosts.newToken({ name: 'local' });
    const wrong = await enrol(named, `other-${unique}`);
    expect(wrong).toMatchObject({ status: 409, body: { detail: expect.stringMatching(/"local"/) } });

    const name = `again-${unique}`;
    const first = await enrol(await hosts.newToken(), name);
    // It says nothing itself, and is not missed for so long.
    await world.sql("update hosts set online = true, last_seen = now() + interval '1 hour' where name = ?", [
      name,
    ]);
    const taken = await enrol(await hosts.newToken(), name);
    expect(taken).toMatchObject({ status: 409, body: { detail: expect.stringMatching(/is online/) } });
    expect((await enrol(await hosts.newToken({ name }), name)).status).toBe(201);
    const late = await world.api('GET', '/api/host/settings', { token: first.body.credential });
    expect(late.status).toBe(401);
  });
});

describe('A host', () => {
  // Each of these waits for a host of its own to start, to be away, to end.
  test.concurrent('joins, keeps its credential to itself, takes the steps that ask for it, and comes back without a token', async () => {
    const name = `lathe-${unique}`;
    const host = await hosts.join(name, {
      capabilities: ['gpu=a100', 'slots=4'],
      enrolment: { capabilities: { rack: 3 } },
    });
    expect(statSync(join(host.dataDir, 'host.json')).mode & 0o777).toBe(0o600);
    expect(await hosts.look(name)).toMatchObject({
      capabilities: { code: true, gpu: 'a100', slots: 4, rack: 3, cpus: expect.any(Number) },
      labels: { rack: 3 },
      enrolled_at: expect.any(String),
    });
    const { admin } = world;
    const named = await world.run(admin, onHost('${ .where }', 'echo here'), { where: name });
    expect(named).toMatchObject({ status: 'completed', steps: [{ host: name, attempt: 1 }] });
    const able = await world.run(admin, [
      {
        step: {
          run: { shell: { command: 'echo able' } },
          metadata: { capability: ['code', { slots: 2, gpu: 'a100' }] },
        },
      },
    ]);
    expect(able).toMatchObject({ status: 'completed', steps: [{ host: name }] });
    const free = await world.run(admin, [{ step: { run: { shell: { command: 'echo free' } } } }]);
    expect(free).toMatchObject({ status: 'completed', steps: [{ host: 'local' }] });

    host.signal('SIGTERM');
    expect(await host.ended).toBe(0);
    // By what it said, and not because it has been silent for too long.
    await world.sql("update hosts set last_seen = now() + interval '1 hour' where name = ?", [name]);
    await hosts.untilStatus(name, 'offline');
    hosts.start(['--name', name], host.dataDir);
    await hosts.untilStatus(name, 'online');
  });

  test.concurrent('is one process: a second with the same credential is refused, here and on another machine', async () => {
    const name = `twin-${unique}`;
    const first = await hosts.join(name);
    const second = hosts.start(['--name', name], first.dataDir);
    expect(await second.ended).toBe(1);
    expect(second.output()).toMatch(/runs on this machine already/);

    // What another machine with a copy of the folder does; the kernel's lock is not shared with that.
    const { credential } = JSON.parse(readFileSync(join(first.dataDir, 'host.json'), 'utf8'));
    const take = () =>
      world.api('POST', '/api/host/lease', {
        token: credential,
        body: { place: 'elsewhere', machine: 'other' },
      });
    expect(await take()).toMatchObject({
      status: 409,
      body: { detail: expect.stringMatching(/runs elsewhere/) },
    });

    // It falls silent: the other may have the name. It hears of that, ends its step, and says why.
    const word = `7${Date.now()}.5`;
    const workflow = await world.newWorkflow(
      world.admin,
      onHost(name, `echo begun; sleep ${word}`, { onUnknown: 'fail' }),
    );
    const { body } = await world.api('POST', `/api/neosyntis/workflows/${workflow}/trigger`, {
      token: world.admin.token,
    });
    await world.untilRun(world.admin, body.run_id, (run) => run.steps[0]?.logs === 'begun\n');
    // It may say that it is there between the one and the other.
    const took = await until(
      async () => {
        await world.sql("update hosts set leased_until = now() - interval '1 second' where name = ?", [name]);
        return take();
      },
      ({ status }) => status === 200,
      60_000,
    );
    expect(await first.ended).toBe(1);
    expect(first.output()).toMatch(/another holder by now, on other/);
    const run = await world.untilRun(world.admin, body.run_id, ({ status }) => status === 'failed');
    expect(run.steps).toMatchObject([{ status: 'unknown' }]);
    expect(took.body.generation).toBeGreaterThan(1);
  });

  test.concurrent('that is deleted ends its steps and stops, and its name is free', async () => {
    const name = `gone-${unique}`;
    const host = await hosts.join(name);
    const events = await world.watch(world.admin, '/ws/events?topics=hosts');
    const { token } = world.admin;
    expect((await world.api('DELETE', `/api/hosts/${name}`, { token })).status).toBe(204);
    await events.next(
      (frame) => frame.event?.type === 'dev.vareon.host.deleted' && frame.event.subject === name,
    );
    events.close();
    expect(await host.ended).toBe(1);
    expect(host.output()).toMatch(/deleted/);
    expect(await hosts.look(name)).toBeUndefined();
    expect((await enrol(await hosts.newToken(), name)).status).toBe(201);
  });

  test.concurrent('says what is wrong with its command line', async () => {
    const wrong = hosts.start(['--name', 'Not A Name', '--capability', 'x']);
    expect(await wrong.ended).toBe(2);
    expect(wrong.output()).toMatch(/--name must be .* found "Not A Name"/);
  });
});
