import { chmodSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { isEnded } from '../../domain/neosyntis/runs.ts';
import { enterWorld, type Run, type TestUser, type World } from '../support/world.ts';

let world: World;
let user: TestUser;
let coder: TestUser;
let folder: string;

beforeAll(async () => {
  world = await enterWorld();
  user = await world.newUser('operator');
  coder = await world.newUser('operator', { runsCode: true });
  folder = mkdtempSync(join(tmpdir(), 'vareon-errors-'));
  chmodSync(folder, 0o777); // code steps are another user's
});
afterAll(async () => {
  await world.close();
  rmSync(folder, { recursive: true, force: true });
});

const type = (name: string) => `https://open-workflow-specification.org/dsl/errors/types/${name}`;
const fails = (name: string, status = 500) => ({
  raise: { error: { type: type(name), status, title: 'Broken', detail: '${ "n is \\(.n)" }' } },
});
const stepAt = (run: Run, path: string): Run[] => run.steps.filter((step: Run) => step.path === path);

describe('raise', () => {
  test('fails the run with the author’s error, its expressions evaluated, at the task', async () => {
    const run = await world.run(user, [{ stop: fails('communication', 503) }], { n: 7 });
    expect(run).toMatchObject({
      status: 'failed',
      error: {
        type: type('communication'),
        status: 503,
        title: 'Broken',
        detail: 'n is 7',
        instance: '/do/0/stop',
      },
    });
    expect(run.steps).toMatchObject([{ status: 'failed', kind: 'raise' }]);
  });
});

describe('try', () => {
  test('hands the error it catches to `catch.do`, whose output goes on', async () => {
    const run = await world.run(
      user,
      [
        {
          risky: {
            try: [{ stop: fails('communication', 404) }],
            catch: {
              errors: { with: { type: type('communication'), status: 404 } },
              as: 'err',
              do: [
                { tell: { set: { seen: '${ $err.instance }', status: '${ $err.status }', n: '${ .n }' } } },
              ],
            },
          },
        },
        { after: { set: { got: '${ . }' } } },
      ],
      { n: 1 },
    );
    expect(run).toMatchObject({
      status: 'completed',
      output: { got: { seen: '/do/0/risky/try/0/stop', status: 404, n: 1 } },
    });
    expect(stepAt(run, '/do/0/risky/try/0/stop')).toMatchObject([{ status: 'failed' }]);
    expect(stepAt(run, '/do/0/risky')).toMatchObject([{ status: 'completed', error: null }]);
    expect(stepAt(run, '/do/0/risky/catch/do/0/tell')).toMatchObject([{ status: 'completed' }]);
  });

  test('without `catch.do` passes its input on', async () => {
    const run = await world.run(user, [{ risky: { try: [{ stop: fails('runtime') }], catch: {} } }], {
      n: 1,
    });
    expect(run).toMatchObject({ status: 'completed', output: { n: 1 } });
  });

  test.each([
    ['another status', { errors: { with: { status: 503 } } }, false],
    ['another type', { errors: { with: { type: type('timeout') } } }, false],
    [
      'the type as an older version spells it',
      { errors: { with: { type: 'https://serverlessworkflow.io/spec/1.0.0/errors/communication' } } },
      true,
    ],
    ['the same title', { errors: { with: { title: 'Broken' } } }, true],
    ['`when` that holds', { when: '$error.status == 404 and .n == 1' }, true],
    ['`when` that does not hold', { when: '$error.status == 500' }, false],
    ['`exceptWhen` that holds', { exceptWhen: '${ $error.status == 404 }' }, false],
  ])('with a filter for %s catches it: %j → %s', async (_what, caught, isCaught) => {
    const run = await world.run(
      user,
      [{ risky: { try: [{ stop: fails('communication', 404) }], catch: caught } }],
      { n: 1 },
    );
    expect(run.status).toBe(isCaught ? 'completed' : 'failed');
    if (!isCaught) expect(run.error).toMatchObject({ status: 404, instance: '/do/0/risky/try/0/stop' });
  });

  test('`catch.then` leads on from the error', async () => {
    const run = await world.run(user, [
      { risky: { try: [{ stop: fails('runtime') }], catch: { then: 'last' } } },
      { between: { set: { between: true } } },
      { last: { set: { last: '${ . }' } } },
    ]);
    expect(run).toMatchObject({ status: 'completed', output: { last: null } });
    expect(run.steps.map((step: { name: string }) => step.name)).not.toContain('between');
  });

  test('retries with backoff until it works; the step counts its attempts and what failed is run again', async () => {
    const count = join(folder, 'count');
    const run = await world.run(coder, [
      {
        risky: {
          try: [
            {
              work: {
                run: {
                  shell: {
                    command: 'echo x >> "$1"; n=$(wc -l < "$1"); echo "try $n"; test "$n" -ge 3',
                    arguments: [count],
                  },
                },
              },
            },
            { shout: { set: '${ ascii_upcase }' } },
          ],
          catch: {
            retry: {
              delay: { milliseconds: 20 },
              backoff: { exponential: {} },
              jitter: { from: 'PT0S', to: 'PT0.01S' },
              limit: { attempt: { count: 5 } },
            },
          },
        },
      },
    ]);
    expect(run).toMatchObject({ status: 'completed', output: 'TRY 3\n' });
    expect(readFileSync(count, 'utf8')).toBe('x\nx\nx\n');
    expect(stepAt(run, '/do/0/risky/try/0/work')).toMatchObject([
      { status: 'completed', attempt: 3, error: null },
    ]);
  });

  test('that has used up its retries fails with the last error, or goes to `catch.do`', async () => {
    const risky = (more: object) => ({
      try: [{ stop: fails('communication', 503) }],
      catch: { retry: { delay: { milliseconds: 1 }, limit: { attempt: { count: 2 } } }, ...more },
    });
    const failed = await world.run(user, [{ risky: risky({}) }]);
    expect(failed).toMatchObject({
      status: 'failed',
      error: { status: 503, instance: '/do/0/risky/try/0/stop' },
    });
    expect(stepAt(failed, '/do/0/risky/try/0/stop')).toMatchObject([{ attempt: 3, status: 'failed' }]);
    const handled = await world.run(user, [
      { risky: risky({ do: [{ tell: { set: '${ $error.title }' } }] }) },
    ]);
    expect(handled).toMatchObject({ status: 'completed', output: 'Broken' });
  });

  test('does not retry what `retry.when` or `retry.exceptWhen` rule out', async () => {
    for (const policy of [{ when: '$error.status == 500' }, { exceptWhen: '$error.status == 503' }]) {
      const run = await world.run(user, [
        { risky: { try: [{ stop: fails('communication', 503) }], catch: { retry: policy } } },
      ]);
      expect(run.status).toBe('failed');
      expect(stepAt(run, '/do/0/risky/try/0/stop')).toMatchObject([{ attempt: 1 }]);
    }
  });

  test('limits each attempt in time', async () => {
    const run = await world.run(user, [
      {
        risky: {
          try: [{ slow: { wait: { seconds: 30 } } }],
          catch: {
            retry: {
              limit: { attempt: { count: 1, duration: { milliseconds: 50 } }, duration: 'PT20M' },
            },
            do: [{ tell: { set: '${ ($error.type | split("/") | last) + " " + $error.instance }' } }],
          },
        },
      },
    ]);
    expect(run).toMatchObject({ status: 'completed', output: 'timeout /do/0/risky' });
    const [slow] = stepAt(run, '/do/0/risky/try/0/slow');
    expect(slow).toMatchObject({ attempt: 2, status: 'cancelled' });
  });

  test('does not begin a retry that would be over its time', async () => {
    const run = await world.run(user, [
      {
        risky: {
          try: [{ stop: fails('runtime') }],
          catch: { retry: { delay: { hours: 1 }, limit: { duration: { minutes: 1 } } } },
        },
      },
    ]);
    expect(run.status).toBe('failed');
    expect(stepAt(run, '/do/0/risky/try/0/stop')).toMatchObject([{ attempt: 1 }]);
  });

  test('an outer `try` catches what happens in the inner one’s handler', async () => {
    const run = await world.run(
      user,
      [
        {
          outer: {
            try: [
              {
                inner: {
                  try: [{ stop: fails('runtime') }],
                  catch: { do: [{ worse: fails('validation', 400) }] },
                },
              },
            ],
            catch: { as: 'why', do: [{ tell: { set: '${ $why.instance }' } }] },
          },
        },
      ],
      { n: 1 },
    );
    expect(run.output).toBe('/do/0/outer/try/0/inner/catch/do/0/worse');
  });

  test('does not catch a cancellation', async () => {
    const id = await world.newWorkflow(user, [
      { risky: { try: [{ slow: { wait: { seconds: 30 } } }], catch: { retry: {} } } },
    ]);
    const { body } = await world.api('POST', `/api/neosyntis/workflows/${id}/trigger`, {
      token: user.token,
    });
    await world.untilRun(user, body.run_id, (run) => run.steps[1]?.status === 'waiting');
    await world.api('POST', `/api/neosyntis/runs/${body.run_id}/cancel`, { token: user.token });
    const run = await world.untilRun(user, body.run_id, ({ status }) => status !== 'running');
    expect(run.status).toBe('cancelled');
  });
});

describe('fork with `compete`', () => {
  test('puts out the first branch that completes and cancels the others', async () => {
    const run = await world.run(user, [
      {
        race: {
          fork: {
            compete: true,
            branches: [
              { slow: { wait: { seconds: 30 } } },
              { broken: fails('runtime') },
              { fast: { do: [{ pause: { wait: { milliseconds: 20 } } }, { win: { set: { fast: true } } }] } },
            ],
          },
        },
      },
    ]);
    expect(run).toMatchObject({ status: 'completed', output: { fast: true } });
    expect(stepAt(run, '/do/0/race/fork/branches/0/slow')).toMatchObject([{ status: 'cancelled' }]);
    expect(stepAt(run, '/do/0/race/fork/branches/1/broken')).toMatchObject([{ status: 'failed' }]);
  });

  test('fails with the first error when no branch completes', async () => {
    const run = await world.run(user, [
      {
        race: {
          fork: { compete: true, branches: [{ one: fails('runtime') }, { two: fails('validation', 400) }] },
        },
      },
    ]);
    expect(run).toMatchObject({ status: 'failed', error: { instance: '/do/0/race/fork/branches/0/one' } });
  });

  test('leaves no process of a loser', async () => {
    const marker = join(folder, 'loser');
    const run = await world.run(coder, [
      {
        race: {
          fork: {
            compete: true,
            branches: [
              {
                loser: {
                  run: {
                    shell: { command: 'echo begun > "$1"; sleep 60; echo late >> "$1"', arguments: [marker] },
                  },
                },
              },
              {
                winner: {
                  run: {
                    shell: {
                      command: 'until test -s "$1"; do sleep 0.02; done; printf won',
                      arguments: [marker],
                    },
                  },
                },
              },
            ],
          },
        },
      },
    ]);
    expect(run).toMatchObject({ status: 'completed', output: 'won' });
    expect(stepAt(run, '/do/0/race/fork/branches/0/loser')).toMatchObject([{ status: 'cancelled' }]);
    expect(readFileSync(marker, 'utf8')).toBe('begun\n');
  });
});

describe('a whole document', () => {
  const imported = (more: object) => ({
    document: { dsl: '1.0.3', namespace: 'test', name: 'imported', version: '0.1.0', summary: 'It waits' },
    do: [{ slow: { wait: { seconds: 30 } } }],
    ...more,
  });
  const send = (body: unknown, query = '') =>
    world.api('POST', `/api/neosyntis/workflows/import${query}`, { token: user.token, body });
  async function ended(workflowId: string, input: unknown = null): Promise<Run> {
    const path = `/api/neosyntis/workflows/${workflowId}/trigger?wait=20`;
    const { body } = await world.api('POST', path, { token: user.token, body: { input } });
    return world.untilRun(user, body.run_id, ({ status }) => isEnded(status));
  }

  test('is imported, and its `timeout` ends the run, also after its steps were changed', async () => {
    const { status, body } = await send(imported({ timeout: { after: { milliseconds: 200 } } }));
    expect(status).toBe(201);
    expect(body).toMatchObject({ name: 'imported', description: 'It waits', version: 1 });
    const path = `/api/neosyntis/workflows/${body.id}`;
    const timedOut = { status: 'failed', error: { type: type('timeout'), status: 408, instance: '/' } };
    const run = await ended(body.id);
    expect(run).toMatchObject(timedOut);
    expect(run.steps).toMatchObject([{ status: 'cancelled' }]);
    await world.api('PUT', path, {
      token: user.token,
      body: { steps: [{ other: { wait: { seconds: 40 } } }] },
    });
    expect(await ended(body.id)).toMatchObject(timedOut);
  });

  test('names errors, retries and timeouts of its `use`, also when its steps are changed', async () => {
    const use = {
      errors: { again: { type: 'https://example.org/again', status: 503, detail: '${ "round \\(.n)" }' } },
      retries: { twice: { when: '$error.status == 503', limit: { attempt: { count: 2 } } } },
      timeouts: { brief: { after: { milliseconds: 200 } } },
    };
    const tasks = [
      {
        named: {
          try: [{ stop: { raise: { error: 'again' } } }],
          catch: { retry: 'twice', do: [{ told: { set: { n: '${ $error.detail }' } } }] },
        },
      },
      { slow: { timeout: 'brief', do: [{ sleep: { wait: { seconds: 40 } } }] } },
    ];
    const body = imported({ use, do: tasks });
    const saved = await send(body);
    expect(saved).toMatchObject({ status: 201 });
    const path = `/api/neosyntis/workflows/${saved.body.id}`;
    const run = await ended(saved.body.id, { n: 7 });
    expect(run).toMatchObject({ status: 'failed', error: { type: type('timeout') } });
    expect(run.steps).toMatchObject([
      { name: 'named', status: 'completed', output: { n: 'round 7' } },
      { name: 'stop', status: 'failed', attempt: 3, error: { type: 'https://example.org/again' } },
      { name: 'told', status: 'completed' },
      { name: 'slow', status: 'failed' },
      { name: 'sleep', status: 'cancelled' },
    ]);
    const kept = await world.api('GET', path, { token: user.token });
    expect(kept.body.steps).toEqual(tasks);
    const change = (timeout: string) =>
      world.api('PUT', path, {
        token: user.token,
        body: { steps: [{ slow: { wait: { seconds: 40 }, timeout } }] },
      });
    expect(await change('breif')).toMatchObject({
      status: 422,
      body: {
        errors: [{ path: '/steps/0/slow/timeout', message: expect.stringContaining('did you mean `brief`') }],
      },
    });
    expect((await change('brief')).status).toBe(200);
    expect(await ended(saved.body.id, { n: 7 })).toMatchObject({
      status: 'failed',
      error: { type: type('timeout') },
    });
  });

  test('in loose mode needs no brackets, and what gives nothing as an expression is text', async () => {
    const saved = await send({
      ...imported({ evaluate: { language: 'jq', mode: 'loose' } }),
      do: [
        {
          each: {
            for: { in: '[1, 2]' },
            input: { from: { sum: '.n + 1', word: 'n' } },
            do: [
              {
                say: {
                  set: {
                    sum: '.sum + $item',
                    strict: '${ .word }',
                    text: 'a b',
                    fails: '.sum | keys',
                    now: 'now',
                    other: '$other',
                  },
                },
              },
            ],
            output: { as: '.' },
          },
        },
      ],
    });
    expect(saved.status).toBe(201);
    const path = `/api/neosyntis/workflows/${saved.body.id}`;
    const run = () => ended(saved.body.id, { n: 3 });
    const said = { strict: 'n', text: 'a b', fails: '.sum | keys', now: 'now', other: '$other' };
    expect(await run()).toMatchObject({ status: 'completed' });
    const steps = [{ one: { set: { n: '.n', text: 'n' } } }];
    const changed = await world.api('PUT', path, { token: user.token, body: { steps } });
    expect(changed.status).toBe(200);
    expect((await run()).output).toEqual({ n: 3, text: 'n' });
    const first = await world.api('POST', `${path}/versions/1/restore`, { token: user.token });
    expect(first.status).toBe(200);
    expect((await run()).steps[1].output).toEqual({ ...said, sum: 5 });
    const document = await world.api('GET', `${path}/definition`, { token: user.token });
    expect(Object.keys(document.body).sort()).toEqual(['do', 'document', 'evaluate']);
  });

  test('with problems is refused at their places; `validate_only` saves nothing', async () => {
    const bad = await send(imported({ timeout: { after: 'soon' }, use: { catalogs: [] } }));
    expect(bad.status).toBe(422);
    expect(bad.body.errors.map(({ path }: { path: string }) => path).sort()).toEqual([
      '/timeout/after',
      '/use/catalogs',
    ]);
    const checked = await send(
      imported({ document: { ...imported({}).document, name: 'only-checked' } }),
      '?validate_only=true',
    );
    expect(checked).toMatchObject({ status: 200, body: { valid: true, tasks: 1 } });
    const list = await world.api('GET', '/api/neosyntis/workflows?name=only-checked', { token: user.token });
    expect(list.body).toEqual([]);
  });
});
