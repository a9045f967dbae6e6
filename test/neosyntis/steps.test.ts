import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { enterWorld, expectStatus, type Run, type TestUser, type World } from '../support/world.ts';

let world: World;
let user: TestUser;
let run: Run;

const LARGE = 100_000;

beforeAll(async () => {
  world = await enterWorld('sql');
  user = await world.newUser('operator', { runsCode: true });
  run = await world.run(user, [
    { big: { run: { shell: { command: `head -c ${LARGE} /dev/zero | tr "\\0" x` } } } },
    { same: { do: [], export: { as: '{ n: length }' } } },
    { loop: { for: { in: '[1, 2, 3]' }, do: [{ add: { set: { n: '${ $item }' } } }] } },
    {
      again: {
        try: [
          { before: { set: { ok: true } } },
          { no: { raise: { error: { type: 'https://example.org/no', status: 500 } } } },
        ],
        catch: {
          retry: { delay: { milliseconds: 30 }, limit: { attempt: { count: 2 } } },
          do: [{ caught: { set: { caught: true } } }],
        },
      },
    },
    { choose: { switch: [{ yes: { then: 'rest' } }] } },
    { rest: { wait: { milliseconds: 20 } } },
  ]);
});
afterAll(() => world.close());

const get = (path: string) =>
  world.api('GET', `/api/neosyntis/runs/${run.id}/${path}`, { token: user.token });
const detail = (path: string) => expectStatus(200, get(`step?path=${path}`));

describe('A value too large to be shown beside its step', () => {
  test('is kept whole, and downloaded from the step that gave it and from the one that got it', async () => {
    expect(run).toMatchObject({ status: 'completed', error: null });
    const given = await get('step/output?path=/do/0/big');
    expect(given.status).toBe(200);
    expect(given.body === 'x'.repeat(LARGE)).toBe(true);
    expect(given.headers).toMatchObject({
      'content-type': 'application/json; charset=utf-8',
      'content-disposition': 'attachment; filename="output.json"',
      'x-content-type-options': 'nosniff',
    });
    expect((await get('step/input?path=/do/1/same')).text).toBe(given.text);
    const step = await detail('/do/1/same');
    expect(step).toMatchObject({ input_bytes: LARGE + 2, input: { truncated: true } });
    const [kept] = await world.sql<{ names: number }>(
      `select count(distinct b)::int as names from run_steps s, unnest(array[input_blob, output_blob]) as b
       where run_id = ?`,
      [run.id],
    );
    // It is one value, however many steps it went through.
    expect(kept).toEqual({ names: 1 });
  });

  test('is no matter for small ones, and what is not there is 404', async () => {
    expect((await get('step/output?path=/do/2/loop/do/0/add&iteration=1')).body).toEqual({ n: 2 });
    for (const path of ['step/output?path=/do/9/none', 'step?path=/do/0/big&attempt=2'])
      expect((await get(path)).status).toBe(404);
    expect((await get('step?path=/do/0/big&iteration=x')).status).toBe(422);
  });
});

describe('A step', () => {
  test('is found by name, status, kind and place, page by page', async () => {
    const rounds = await get('steps?name=add&limit=2');
    expect(rounds.body.map(({ iteration }: Run) => iteration)).toEqual([[0], [1]]);
    const next = /<([^>]+)>; rel="next"/.exec(String(rounds.headers.link))?.[1] ?? '';
    const rest = await world.api('GET', next, { token: user.token });
    expect(rest.body.map(({ iteration }: Run) => iteration)).toEqual([[2]]);
    expect(rest.headers.link).toBeUndefined();
    expect((await get('steps?status=failed')).body.map(({ name }: Run) => name)).toEqual(['no']);
    expect((await get('steps?kind=wait')).body.map(({ name }: Run) => name)).toEqual(['rest']);
    const inside = (await get('steps?path_prefix=/do/3/')).body.map(({ name }: Run) => name);
    expect(inside).toEqual(['again', 'before', 'no', 'caught']);
  });

  test('tells each of its attempts, and where the run went on', async () => {
    const { attempts, attempt, status } = await detail('/do/3/again/try/1/no');
    expect({ attempt, status }).toEqual({ attempt: 3, status: 'failed' });
    expect(attempts).toHaveLength(3);
    for (const [index, one] of attempts.entries())
      expect(one).toMatchObject({
        ...{ attempt: index + 1, status: 'failed', error: { type: 'https://example.org/no' } },
        ...{ started_at: expect.any(String), ended_at: expect.any(String) },
      });
    expect(await detail('/do/3/again/try/0/before')).toMatchObject({
      ...{ status: 'completed', error: null, attempts: [{}, {}, {}] },
    });
    expect(await detail('/do/4/choose')).toMatchObject({ directive: 'rest', output: { caught: true } });
    expect(await detail('/do/3/again')).toMatchObject({ status: 'completed', error: null });
  });
});

test('The graph of a workflow has what a run did at each task, and how often', async () => {
  const graph = (query: string, id = run.workflow_id) =>
    world.api('GET', `/api/neosyntis/workflows/${id}/graph${query}`, { token: user.token });
  const { version, nodes, edges, mermaid } = await expectStatus(200, graph(`?run_id=${run.id}`));
  const states = nodes.flatMap(({ id, status, visits, attempt }: Run) =>
    visits === undefined ? [] : [[id, status, visits, attempt]],
  );
  expect(version).toBe(1);
  expect(states).toEqual([
    ['/do/0/big', 'completed', 1, 1],
    ['/do/1/same', 'completed', 1, 1],
    ['/do/2/loop', 'completed', 1, 1],
    ['/do/2/loop/do/0/add', 'completed', 3, 1],
    ['/do/3/again', 'completed', 1, 1],
    ['/do/3/again/try/0/before', 'completed', 1, 3],
    ['/do/3/again/try/1/no', 'failed', 1, 3],
    ['/do/3/again/catch/do/0/caught', 'completed', 1, 1],
    ['/do/4/choose', 'completed', 1, 1],
    ['/do/5/rest', 'completed', 1, 1],
  ]);
  expect(edges).toContainEqual({ from: '/do/4/choose', to: '/do/5/rest', kind: 'case', label: 'yes' });
  expect(mermaid).toContain('add ×3');

  // Another version is no place for this run's states, and neither is another workflow.
  const path = `/api/neosyntis/workflows/${run.workflow_id}`;
  await expectStatus(200, world.api('PUT', path, { token: user.token, body: { steps: ['wait 1ms'] } }));
  expect((await expectStatus(200, graph(''))).nodes).toMatchObject([{}, { name: '1-wait' }, {}]);
  expect((await expectStatus(200, graph(''))).nodes[1].status).toBeUndefined();
  expect((await expectStatus(200, graph(`?run_id=${run.id}`))).version).toBe(1);
  await expectStatus(200, graph(`?run_id=${run.id}&version=1`));
  await expectStatus(422, graph(`?run_id=${run.id}&version=2`));
  await expectStatus(404, graph('?version=3'));
  const other = await world.newUser('operator');
  const own = await world.newWorkflow(other, []);
  const asOther = (id: string, query: string) =>
    world.api('GET', `/api/neosyntis/workflows/${id}/graph${query}`, { token: other.token });
  expect((await expectStatus(200, asOther(own, ''))).edges).toEqual([
    { from: 'start', to: 'end', kind: 'next' },
  ]);
  await expectStatus(404, asOther(own, `?run_id=${run.id}`));
  await expectStatus(404, asOther(run.workflow_id, ''));
  await expectStatus(422, graph(`?run_id=${run.id}`, await world.newWorkflow(user, [])));
});

test('The timeline tells queue, run and wait of each attempt, null where nobody knows, and their sums', async () => {
  const { steps, totals, elapsed_ms, start_ms } = await expectStatus(200, get('timeline'));
  const entry = (name: string) => steps.find((one: Run) => one.name === name);
  const { queue_ms, wait_ms, run_ms, started_at, ended_at } = entry('big');
  expect(wait_ms).toBe(0);
  expect(queue_ms + run_ms).toBe(Date.parse(ended_at) - Date.parse(started_at));
  expect(entry('rest').wait_ms).toBeGreaterThanOrEqual(20);
  expect(entry('rest').run_ms).toBe(0);
  // Two pauses; its time besides is that of the tasks in it.
  expect(entry('again')).toMatchObject({ run_ms: null, queue_ms: 0 });
  expect(entry('again').wait_ms).toBeGreaterThanOrEqual(60);
  expect(steps.filter(({ name }: Run) => name === 'no')).toHaveLength(3);
  const sum = (name: string) => steps.reduce((all: number, one: Run) => all + (one[name] ?? 0), 0);
  expect(totals).toEqual({
    ...{ queue_ms: sum('queue_ms'), run_ms: sum('run_ms'), wait_ms: sum('wait_ms'), unknown: 0 },
  });
  expect(start_ms).toBeGreaterThanOrEqual(0);
  expect(elapsed_ms).toBeGreaterThanOrEqual(80);
  const page = await get('timeline?limit=1');
  expect(page.body.totals).toEqual(totals);
  expect(page.headers.link).toMatch(/cursor=\d+/);
});
