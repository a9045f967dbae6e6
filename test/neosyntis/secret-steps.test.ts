// biome-ignore-all lint/suspicious/noTemplateCurlyInString: runtime expressions are strings.
import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { Client } from 'pg';
import { supervisedHostCredential } from '../../drivers/bus/credentials.ts';
import { until } from '../support/client.ts';
import { stackKeysDir, testStack } from '../support/stack.ts';
import { enterWorld, type TestUser, type World } from '../support/world.ts';

let world: World;
let user: TestUser;
const base = '/api/neosyntis/secrets';

beforeAll(async () => {
  world = await enterWorld();
  user = await world.newUser('operator', { runsCode: true });
});
afterAll(() => world.close());

const call = (who: TestUser, method: string, path: string, body?: unknown) =>
  world.api(method, path, { token: who.token, ...(body === undefined ? {} : { body }) });

async function newSecret(who: TestUser, value: unknown): Promise<string> {
  const name = `s_${randomBytes(5).toString('hex')}`;
  const answer = await call(who, 'POST', base, { name, value });
  expect(answer.status).toBe(201);
  return name;
}

describe('Steps may use $secrets', () => {
  const places: [string, object, string][] = [
    ['if', { set: { a: 1 }, if: '$secrets.a == 1' }, '/if'],
    ['input.from', { set: { a: 1 }, input: { from: '$secrets.a' } }, '/input/from'],
    ['output.as', { set: { a: 1 }, output: { as: { x: '${ $secrets.a }' } } }, '/output/as/x'],
    ['export.as', { set: { a: 1 }, export: { as: '$secrets.a' } }, '/export/as'],
    ['set', { set: { deep: [{ a: '${ "\\($secrets.a)" }' }] } }, '/set/deep/0/a'],
    ['metadata', { set: { a: 1 }, metadata: { note: '${ $secrets.a }' } }, '/metadata/note'],
    ['wait', { wait: '${ $secrets.a }' }, '/wait'],
    ['for.in', { for: { in: '$secrets.a' }, do: [] }, '/for/in'],
    ['while', { for: { in: [1] }, while: '$secrets.a', do: [] }, '/while'],
    ['switch', { switch: [{ one: { when: '$secrets.a', then: 'end' } }] }, '/switch/0/one/when'],
    [
      'arguments',
      { run: { shell: { command: 'ls', arguments: ['${ $secrets.a }'] } } },
      '/run/shell/arguments/0',
    ],
    ['a mail’s subject', mail({ subject: '${ $secrets.a }' }), '/with/subject'],
    ['a mail’s address', mail({ to: ['${ $secrets.a }'] }), '/with/to/0'],
  ];
  test.each(places)('not in %s: it is refused at save, at its place', async (_place, task, below) => {
    const { status, body } = await call(user, 'POST', '/api/neosyntis/workflows', {
      name: 'x',
      steps: [{ task }],
    });
    expect([status, body.errors]).toEqual([
      422,
      [{ path: `/steps/0/task${below}`, message: expect.stringContaining('$secrets') }],
    ]);
  });

  test.each([
    ['$secrets'],
    ['$secrets | keys'],
    ['$secrets[.name]'],
    ['$secrets["a\\(.b)"]'],
    ['. as $secrets | 1'],
    ['{$secrets}'],
    ['$secrets["no.name"]'],
  ])('only by names that one can read: %s is refused', async (source) => {
    const { body } = await call(user, 'POST', '/api/neosyntis/workflows/validate', {
      steps: [{ task: mail({ text: `\${ ${source} }` }) }],
    });
    expect(body.errors).toMatchObject([
      { path: '/steps/0/task/with/text', message: expect.stringMatching(/secret/) },
    ]);
  });

  test('and are told at save which of them do not exist, and which are mere text', async () => {
    const name = await newSecret(user, 'x');
    const steps = [
      { known: mail({ text: `\${ $secrets.${name} + $secrets["${name}"] }` }) },
      { unknown: mail({ text: '${ "\\($secrets.nobody_has_this)" }' }) },
      'notify.email to=a@example.org subject=x text="${ $secrets.nor_this }"',
      { text: mail({ text: 'Bearer ${ $secrets.x }' }) },
    ];
    const warnings = [
      { path: '/steps/1/unknown/with/text', message: expect.stringContaining('"nobody_has_this"') },
      { path: '/steps/2', message: expect.stringContaining('"nor_this"') },
      { path: '/steps/3/text/with/text', message: expect.stringContaining('not evaluated') },
    ];
    const checked = await call(user, 'POST', '/api/neosyntis/workflows/validate', { steps });
    expect(checked.body).toEqual({ valid: true, errors: [], warnings, tasks: 4 });
    const saved = await call(user, 'POST', '/api/neosyntis/workflows', { name: 'x', steps });
    expect([saved.status, saved.body.warnings]).toEqual([201, warnings]);
    const path = `/api/neosyntis/workflows/${saved.body.id}`;
    expect((await call(user, 'GET', path)).body.warnings).toBeUndefined();
    const again = await call(user, 'PUT', path, { ...saved.body, steps: [...steps, 'wait 1s'] });
    expect([again.status, again.body.warnings]).toEqual([200, warnings]);
  });

  test('and one that does not exist fails the run as an authorization error, by name', async () => {
    for (const task of [
      mail({ text: '${ $secrets.nobody_has_this }' }),
      { run: { shell: { command: 'true', environment: { A: '${ $secrets.nobody_has_this }' } } } },
    ]) {
      const run = await world.run(user, [{ task }]);
      expect(run).toMatchObject({
        status: 'failed',
        error: {
          type: expect.stringMatching(/authorization$/),
          status: 403,
          instance: '/do/0/task',
          detail: expect.stringContaining('"nobody_has_this"'),
        },
      });
    }
  });
});

describe('A step with a secret', () => {
  test('has it in its environment and input, evaluated with the run’s data, and prints a mask', async () => {
    const value = `v-${randomBytes(12).toString('hex')}`;
    const name = await newSecret(user, value);
    const object = await newSecret(user, { login: { token: value }, tries: 3 });
    const run = await world.run(
      user,
      [
        {
          task: {
            run: {
              shell: {
                command:
                  'printf "%s|%s|%s|%s|" "$PLAIN" "$LENGTH" "$TRIES" "$MADE" | tr -d "\\n"; wc -c; cat >&2 /dev/null',
                environment: {
                  PLAIN: `\${ $secrets.${name} }`,
                  LENGTH: `\${ $secrets.${object}.login.token | length }`,
                  TRIES: `\${ $secrets.${object}.tries }`,
                  MADE: `\${ "\\(.who)/\\($workflow.input.who)/\\($context)/\\($secrets.${name} == $secrets.${object}.login.token)" }`,
                },
                stdin: `\${ {a: $secrets.${name}, b: .who} }`,
              },
            },
          },
        },
      ],
      { who: 'ada' },
    );
    const bytes = JSON.stringify({ a: value, b: 'ada' }).length;
    expect(run.error).toBeNull();
    expect(run.output).toBe(`***|${value.length}|3|ada/ada/null/true|${bytes}\n`);
    expect(run.steps[0].logs).not.toContain(value);
  });

  test('has it wherever it stands: in a loop, a branch, an attempt and what catches it', async () => {
    const value = `v-${randomBytes(12).toString('hex')}`;
    const name = await newSecret(user, value);
    const use = (command: string) => ({
      run: { shell: { command, environment: { S: `\${ $secrets.${name} }` } } },
    });
    const run = await world.run(user, [
      {
        loop: {
          for: { in: [1, 2] },
          do: [
            {
              both: {
                fork: {
                  branches: [
                    { inner: { do: [{ measure: use('printf %s "$S" | wc -c') }] } },
                    {
                      tries: {
                        try: [{ fails: use('exit 3') }],
                        catch: { do: [{ after: use('printf %s "$S" | wc -c') }] },
                      },
                    },
                  ],
                },
              },
            },
          ],
        },
      },
    ]);
    expect([run.status, run.error]).toEqual(['completed', null]);
    expect(run.output).toEqual([`${value.length}\n`, `${value.length}\n`]);
  });

  test('whose output fails it shows no value in the error', async () => {
    const value = `v-${randomBytes(12).toString('hex')}`;
    const name = await newSecret(user, value);
    const environment = { S: `\${ $secrets.${name} }` };
    const run = await world.run(user, [
      {
        task: {
          run: { shell: { command: 'echo "no $S" >&2; printf "%s" "$S" | base64; exit 3', environment } },
        },
      },
    ]);
    expect(run.error.detail).toMatch(/exit code 3.*no \*\*\*/s);
    expect(JSON.stringify(run)).not.toContain(value);
    expect(JSON.stringify(run)).not.toContain(Buffer.from(value).toString('base64').slice(0, 20));
  });

  test('whose expression fails quotes no value', async () => {
    const value = `v-${randomBytes(12).toString('hex')}`;
    const name = await newSecret(user, value);
    for (const task of [
      mail({ text: `\${ $secrets.${name} | tonumber }` }),
      { run: { shell: { command: 'true', environment: { A: `\${ $secrets.${name} | error }` } } } },
    ]) {
      const run = await world.run(user, [{ task }]);
      expect(run.error.type).toMatch(/expression$/);
      expect(run.error.detail).toContain('***');
      expect(JSON.stringify(run)).not.toContain(value);
    }
  });

  describe('that a retry runs again has it again', () => {
    const stepsOf = (name: string, flag: string, delay: object) => [
      {
        again: {
          try: [
            {
              code: {
                run: {
                  shell: {
                    command: `if mkdir ${flag} 2>/dev/null; then echo "$S"; exit 3; fi; rmdir ${flag}; printf %s "$S" | wc -c`,
                    environment: { S: `\${ $secrets.${name} }` },
                  },
                },
              },
            },
          ],
          catch: { retry: { delay, limit: { attempt: { count: 2 } } } },
        },
      },
    ];
    const newFlag = () => `/tmp/vareon-again-${randomBytes(6).toString('hex')}`;
    const value = 'v-0123456789';
    const asAgain = {
      status: 'completed',
      output: `${value.length}\n`,
      steps: [{ name: 'again' }, { name: 'code', status: 'completed', attempt: 2 }],
    };

    test('at once', async () => {
      const name = await newSecret(user, value);
      const run = await world.run(user, stepsOf(name, newFlag(), { milliseconds: 1 }));
      expect(run).toMatchObject(asAgain);
    });

    test('while its row still tells of its first end', async () => {
      const name = await newSecret(user, value);
      const flag = newFlag();
      const id = await world.newWorkflow(user, stepsOf(name, flag, { seconds: 10 }));
      const { body } = await call(user, 'POST', `/api/neosyntis/workflows/${id}/trigger`);
      await world.untilRun(user, body.run_id, ({ steps }) => steps[1]?.status === 'failed');
      const other = new Client(testStack().databaseUrl);
      await other.connect();
      try {
        await other.query('begin');
        await other.query("select from run_steps where run_id = $1 and name = 'code' for update", [
          body.run_id,
        ]);
        // Attempt 2 removes it; what the run tells of that waits for us.
        await until(
          async () => existsSync(flag),
          (isThere) => !isThere,
          60_000,
        );
      } finally {
        await other.end();
      }
      expect(await world.untilRun(user, body.run_id, ({ status }) => status !== 'running')).toMatchObject(
        asAgain,
      );
    });
  });

  test('sends it in a mail', async () => {
    const value = `v-${randomBytes(12).toString('hex')}`;
    const name = await newSecret(user, value);
    const run = await world.run(user, [{ task: mail({ text: `\${ "It is \\($secrets.${name})." }` }) }]);
    expect(run.status).toBe('completed');
    const { body } = await call(world.admin, 'GET', `/api/outbox/${run.output.mail_ids[0]}`);
    expect(body.text).toBe(`It is ${value}.`);
  });
});

describe('A worker host', () => {
  test('gets secrets only with its own credential and only for a step that is open on it', async () => {
    const name = await newSecret(user, 'for the host');
    const foreign = await newSecret(user, 'not named');
    const id = await world.newWorkflow(user, [
      { task: { run: { shell: { command: 'sleep 600', environment: { S: `\${ $secrets.${name} }` } } } } },
    ]);
    const { body: started } = await call(user, 'POST', `/api/neosyntis/workflows/${id}/trigger`);
    const key = busKey();
    const ask = (credential: string, names: string[], run_id = started.run_id) =>
      world.api('POST', '/api/host/secrets', { token: credential, body: { run_id, names } });
    await world.untilRun(user, started.run_id, (run) => run.steps[0]?.status === 'running');
    const local = supervisedHostCredential(key, 'local');
    const elsewhere = await otherHost();
    // The grant follows within a moment.
    await until(
      () => ask(local, [name]),
      ({ status }) => status === 200,
      60_000,
    );
    expect(await ask(local, [name])).toMatchObject({
      status: 200,
      body: { secrets: { [name]: 'for the host' } },
    });
    expect((await ask(local, [foreign])).status).toBe(404);
    expect((await ask(elsewhere, [name])).status).toBe(404);
    expect((await ask(supervisedHostCredential(randomBytes(32), 'local'), [name])).status).toBe(401);
    expect((await ask(user.token, [name])).status).toBe(401);
    await call(user, 'POST', `/api/neosyntis/runs/${started.run_id}/cancel`);
    await world.untilRun(user, started.run_id, (run) => run.status === 'cancelled');
    expect((await ask(local, [name])).status).toBe(404);
  });
});

/** The credential of another host. */
async function otherHost(): Promise<string> {
  const { body: enrolment } = await call(world.admin, 'POST', '/api/hosts/enrolments', {});
  const name = `elsewhere-${randomBytes(4).toString('hex')}`;
  const { body } = await world.api('POST', '/api/host/enrol', { body: { token: enrolment.token, name } });
  return body.credential;
}

function busKey(): Buffer {
  return Buffer.from(readFileSync(`${stackKeysDir()}/bus.key`, 'utf8'), 'base64');
}

function mail(more: object) {
  return { call: 'notify.email', with: { to: 'ops@example.org', subject: 'x', text: 'x', ...more } };
}
