// biome-ignore-all lint/suspicious/noTemplateCurlyInString: runtime expressions are strings.
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { runSignals, topics } from '../../domain/names.ts';
import { eventProblems } from '../../domain/neosyntis/cloud-event.ts';
import { lifecycleEvents } from '../../domain/neosyntis/lifecycle.ts';
import { isEnded } from '../../domain/neosyntis/runs.ts';
import { busClientId, busPassword } from '../../drivers/bus/credentials.ts';
import { connectBus } from '../../drivers/bus/mqtt.ts';
import type { Bus } from '../../drivers/bus/port.ts';
import { readKeys } from '../../keys.ts';
import { createInbox, type Reader } from '../../workflows/neosyntis/engine/inbox.ts';
import { until } from '../support/client.ts';
import { stackKeysDir, testStack } from '../support/stack.ts';
import { enterWorld, expectStatus, type Run, type TestUser, type World } from '../support/world.ts';

let world: World;
let user: TestUser;

beforeAll(async () => {
  world = await enterWorld('sql', 'temporal');
  user = await world.newUser('operator');
});
afterAll(() => world.close());

let count = 0;
const event = (type: string, data?: unknown, more: object = {}) => ({
  specversion: '1.0',
  id: `e${++count}`,
  source: 'https://example.org/sensors',
  type: `org.example.${type}`,
  ...(data === undefined ? {} : { data }),
  ...more,
});

const path = (runId?: string) => (runId ? `/api/neosyntis/runs/${runId}/events` : '/api/neosyntis/events');

const post = async (body: unknown, runId?: string, who = user) =>
  expectStatus(202, world.api('POST', path(runId), { token: who.token, body }));

async function start(steps: unknown[], who = user): Promise<string> {
  const id = await world.newWorkflow(who, steps);
  const { body } = await world.api('POST', `/api/neosyntis/workflows/${id}/trigger`, { token: who.token });
  return body.run_id;
}

const stepAt = (run: Run, name: string) => run.steps?.find((step: Run) => step.name === name);
const listens = (name: string) => (run: Run) => stepAt(run, name)?.status === 'waiting';
const ended = (runId: string, who = user) => world.untilRun(who, runId, ({ status }) => isEnded(status));
const one = (type: string, more: object = {}) => ({
  listen: { to: { one: { with: { type: `org.example.${type}` } } }, ...more },
});

describe('A run', () => {
  test('takes what was posted to it in the order in which it listens, filtered, correlated and worked on', async () => {
    const runId = await start([
      { go: one('go', { read: 'envelope' }) },
      { early: one('early') },
      {
        fever: {
          listen: {
            to: {
              any: [
                { with: { type: 'org\\.example\\.temp.*', data: '${ .celsius > 38 }' } },
                { with: { type: 'org.example.pulse', urgent: true, subject: '${ "bed-4" }' } },
              ],
              until: 'length == 3',
            },
          },
          foreach: {
            item: 'event',
            at: 'i',
            do: [{ note: { set: { at: '${ $i }', value: '${ $event.celsius // $event.bpm }' } } }],
            output: { as: '{ n: .at, v: .value }' },
            export: { as: '($context // []) + [$output.v]' },
          },
          output: { as: '{ consumed: ., context: $context }' },
        },
      },
      { kept: { set: { fever: '${ . }' }, export: { as: '$input' } } },
      {
        room: {
          listen: {
            to: {
              all: [
                { with: { type: 'org.example.t' }, correlate: { room: { from: '.roomid' } } },
                { with: { type: 'org.example.h' }, correlate: { room: { from: '.roomid' } } },
              ],
            },
          },
        },
      },
      {
        expected: {
          listen: {
            to: {
              one: {
                with: { source: 'https://example.org/sensors' },
                correlate: { who: { from: '.data.who', expect: '${ $workflow.input // "eve" }' } },
              },
            },
            read: 'raw',
          },
        },
      },
      {
        all: {
          listen: { to: { any: [], until: { one: { with: { type: 'org.example.stop' } } } } },
          output: { as: 'map(if type == "object" then .n else . end)' },
        },
      },
      {
        late: {
          try: [{ never: { ...one('never'), timeout: { after: 'PT0.05S' } } }],
          catch: { as: 'why', do: [{ say: { set: '${ $why.title }' } }] },
        },
      },
    ]);
    const first = event('early', { n: 'early' });
    const binary = Buffer.from('hello').toString('base64');
    const sent = [
      first,
      first,
      event('go', undefined, { data_base64: binary, subject: 'now', note: 7 }),
      event('temperature', { celsius: 37 }),
      event('temperature', 'not what it should be'),
      event('temperature', { celsius: 39 }),
      event('pulse', { bpm: 120 }, { subject: 'bed-4' }),
      event('pulse', { bpm: 130 }, { subject: 'bed-4', urgent: true }),
      event('pulse', { bpm: 140 }, { subject: 'bed-5', urgent: true }),
      event('tempest', { celsius: 40 }),
      event('t', 1, { roomid: 'a' }),
      event('h', 2, { roomid: 'b' }),
      event('t', 3, { roomid: 'b' }),
      event('h', 4, { roomid: 'a' }),
      event('x', { who: 'bob' }),
      event('x', { who: 'eve' }),
      event('y', { n: 1 }),
      event('stop', { n: 2 }),
      event('y', { n: 3 }),
    ];
    const receipts = [];
    for (const body of sent) receipts.push(await post(body, runId));
    expect(receipts.slice(0, 3).map(({ result, runs }) => ({ result, runs }))).toEqual([
      { result: 'accepted', runs: 1 },
      { result: 'duplicate', runs: 0 },
      { result: 'accepted', runs: 1 },
    ]);
    const run = await ended(runId);
    const output = (name: string) => stepAt(run, name)?.output;
    expect(run.error).toBeNull();
    expect(output('go')).toEqual([sent[2]]);
    expect(output('early')).toEqual([{ n: 'early' }]);
    expect(output('fever')).toEqual({
      consumed: [
        { n: 0, v: 39 },
        { n: 1, v: 130 },
        { n: 2, v: 40 },
      ],
      context: [39, 130, 40],
    });
    expect(output('room')).toEqual([1, 4]);
    expect(output('expected')).toEqual(['{"who":"eve"}']);
    // What nobody took before is there still, for who takes everything: in its order, without what ended it.
    expect(output('all')).toEqual([null, 'not what it should be', null, null, 2, 3, null, 1]);
    expect(run.output).toBe('Timed out');
    expect(stepAt(run, 'never').status).toBe('failed');
  });

  test('emits events to those of the same owner that listen, who wait meanwhile', async () => {
    const other = await world.newUser('operator');
    const listening = [
      { hear: { listen: { to: { one: { with: { type: 'org.example.said' } } }, read: 'envelope' } } },
    ];
    const both = [
      {
        both: {
          fork: { branches: [{ hear: one('said') }, { wake: one('wake', { read: 'envelope' }) }] },
        },
      },
    ];
    const [a = '', b = '', others = ''] = await Promise.all([
      start(listening),
      start(both),
      start(listening, other),
    ]);
    await Promise.all([
      ...[a, b].map((id) =>
        world.untilRun(user, id, (run) => run.status === 'waiting' && listens('hear')(run)),
      ),
      world.untilRun(other, others, listens('hear')),
    ]);
    const emitted = await world.run(
      user,
      [
        {
          say: {
            emit: {
              event: {
                with: {
                  type: 'org.example.said',
                  subject: '${ .to }',
                  data: { hello: '${ "Hello \\(.to)!" }' },
                },
              },
            },
          },
        },
      ],
      { to: 'you' },
    );
    expect(emitted.output).toEqual({
      specversion: '1.0',
      id: expect.stringContaining(emitted.id),
      source: '/default/test/0.1.0',
      type: 'org.example.said',
      time: expect.stringMatching(/^\d{4}-.*Z$/),
      subject: 'you',
      data: { hello: 'Hello you!' },
    });
    expect((await ended(a)).output).toEqual([emitted.output]);
    await world.untilRun(
      user,
      b,
      (run) => stepAt(run, 'hear')?.status === 'completed' && run.status === 'waiting',
    );
    await world.untilRun(other, others, ({ status }) => status === 'waiting');
    const wake = event('wake');
    expect(await post(wake, undefined, other)).toMatchObject({ runs: 0 });
    expect(await post(wake)).toMatchObject({ result: 'accepted', runs: 1 });
    expect((await ended(b)).output).toEqual([[{ hello: 'Hello you!' }], [wake]]);
    expect(await post(wake)).toMatchObject({ result: 'duplicate', runs: 0 });
    expect(await world.api('POST', path(b), { token: user.token, body: event('late') })).toMatchObject({
      status: 409,
    });
    await world.api('POST', `/api/neosyntis/runs/${others}/cancel`, { token: other.token });
    await ended(others, other);
    const left = await world.sql('select run_id from event_subscriptions where run_id = any(?::uuid[])', [
      `{${a},${b},${others}}`,
    ]);
    expect(left).toEqual([]);
  });

  test('is sent what a crash kept from it, and takes each event once', async () => {
    const runId = await start([
      {
        all: {
          listen: { to: { any: [], until: { one: { with: { type: 'org.example.stop' } } } } },
          foreach: { do: [{ pause: { wait: { milliseconds: 5 } } }] },
        },
      },
    ]);
    await world.untilRun(user, runId, listens('all'));
    // As when the process died that had written the row.
    const lost = event('lost', 'lost');
    await world.sql(
      `with e as (insert into event_inbox (owner_id, source, id, type, event) values (?, ?, ?, ?, ?::json) returning seq)
       insert into event_deliveries (run_id, seq, is_direct, at) select ?::uuid, seq, false, now() - interval '1 minute' from e`,
      [user.id, lost.source, lost.id, lost.type, JSON.stringify(lost), runId],
    );
    const schedule = world.temporal.schedule.getHandle('vareon-reconciler');
    await schedule.trigger();
    const delivered = () => world.sql('select seq from event_deliveries where run_id = ?', [runId]);
    await until(delivered, (rows) => rows.length === 0, 60_000);
    // A signal that comes again, as after a crash between it and our note of it, brings nothing.
    const [row] = await world.sql<{ seq: string }>(
      'select seq from event_inbox where owner_id = ? and id = ?',
      [user.id, lost.id],
    );
    await world.temporal.workflow
      .getHandle(runId)
      .signal(runSignals.events, [{ seq: Number(row?.seq), direct: false, event: lost }]);
    for (const n of [1, 2, 3]) await post(event('more', n));
    await post(event('stop'), runId);
    expect((await ended(runId)).output).toEqual(['lost', 1, 2, 3]);
  });
});

describe('Lifecycle events', () => {
  let bus: Bus;
  beforeAll(() => {
    bus = connectBus({
      url: testStack().busUrl,
      username: 'platform',
      password: busPassword(readKeys({ keysDir: stackKeysDir() }).bus, 'platform'),
      clientId: busClientId('platform', 'test'),
      onError: () => {},
    });
  });
  afterAll(() => bus.close());

  test('of a run reach those of the same owner that listen for their types, in order, and the bus', async () => {
    const owner = await world.newUser('operator');
    const published: { owner_id: string; event: Run }[] = [];
    await bus.subscribe(topics.lifecycle, (message) => void published.push(...(message as typeof published)));
    const listener = await start(
      [
        {
          watch: {
            listen: {
              to: {
                any: [{ with: { type: 'io\\.serverlessworkflow\\.(workflow|task)\\..*' } }],
                until: { one: { with: { type: 'io.serverlessworkflow.workflow.faulted.v1' } } },
              },
              read: 'envelope',
            },
          },
        },
      ],
      owner,
    );
    await world.untilRun(owner, listener, listens('watch'));
    const error = { type: 'https://example.org/errors/no', title: 'No', status: 409 };
    const run = await world.run(owner, [
      { a: { set: { n: 1 } } },
      {
        b: {
          try: [{ c: { raise: { error } } }],
          catch: { retry: { limit: { attempt: { count: 1 } } }, when: 'true' },
        },
      },
    ]);
    expect(run.status).toBe('failed');
    const events = (await ended(listener, owner)).output as Run[];
    const changes = events.filter(({ type }) => !/status-changed/.test(type));
    const short = ({ type, data }: Run) =>
      `${type.replace('io.serverlessworkflow.', '').replace('.v1', '')}${data.task ? ` ${data.task}` : ''}`;
    const steps = (name: string) => changes.map(short).filter((text) => text.endsWith(` ${name}`));
    expect(short(changes[0] ?? {})).toBe('workflow.started');
    expect(steps('/do/0/a')).toEqual(
      ['created', 'started', 'completed'].map((phase) => `task.${phase} /do/0/a`),
    );
    expect(steps('/do/1/b')).toEqual(
      ['created', 'started', 'retried', 'faulted'].map((phase) => `task.${phase} /do/1/b`),
    );
    expect(steps('/do/1/b/try/0/c')).toEqual(
      ['created', 'started', 'faulted', 'retried', 'started', 'faulted'].map(
        (phase) => `task.${phase} /do/1/b/try/0/c`,
      ),
    );
    const name = `test-${run.id}.default`;
    expect(changes[0]).toMatchObject({
      source: `/api/neosyntis/runs/${run.id}`,
      subject: run.id,
      data: {
        name,
        definition: { name: 'test', namespace: 'default', version: '0.1.0' },
        startedAt: run.started_at,
      },
    });
    expect(changes.find(({ type }) => /task.completed/.test(type))?.data).toEqual({
      workflow: name,
      task: '/do/0/a',
      completedAt: expect.any(String),
      outputUri: `/api/neosyntis/runs/${run.id}`,
    });
    expect(new Set(events.map(({ id }) => id)).size).toBe(events.length);
    const onBus = await until(
      async () => published.filter(({ event }) => event.subject === run.id),
      // The one that ended the listening is beside what was heard.
      (all) => all.length > events.length && all.some(({ event }) => /workflow.faulted/.test(event.type)),
      60_000,
    );
    expect(onBus.map(({ event }) => event)).toEqual(expect.arrayContaining(events));
    expect(new Set(onBus.map(({ owner_id }) => owner_id))).toEqual(new Set([owner.id]));
  });

  test('say of every status what the specification calls it', () => {
    const at = '2026-01-01T00:00:00.000Z';
    const frames = ['running', 'waiting', 'paused', 'running', 'cancelled'].map((status, seq) => ({
      seq,
      at,
      startedAt: null,
      run: { status, error: null },
    }));
    const run = { id: 'r', name: 'n', namespace: 's', version: '1.0.0' };
    const made = lifecycleEvents(run, frames, { run: undefined, steps: new Map() });
    const found = made.map(({ type, data }) =>
      [type.split('.')[3], (data as Run).status].filter(Boolean).join(' '),
    );
    expect(found).toEqual([
      'started',
      'status-changed running',
      'status-changed waiting',
      'suspended',
      'status-changed suspended',
      'resumed',
      'status-changed running',
      'cancelled',
      'status-changed cancelled',
    ]);
    expect(made.flatMap((event) => eventProblems(event))).toEqual([]);
  });
});

describe('What a run has received', () => {
  const of = (seq: number, direct: boolean, text = '') => ({
    seq,
    direct,
    event: { specversion: '1.0' as const, id: `${seq}`, source: '/s', type: 't', data: text },
  });
  const taken = (inbox: ReturnType<typeof createInbox>, reader: Reader) => {
    const ids: string[] = [];
    for (let found = inbox.take(reader); found; found = inbox.take(reader)) ids.push(found.event.id);
    return ids;
  };

  test('is each event once, for every listener since it began, and what was sent to the run for the first that wants it', () => {
    const inbox = createInbox();
    inbox.receive([of(1, true), of(2, false), of(3, true)]);
    const first = inbox.open();
    inbox.receive([of(3, true), of(4, false), of(4, false)]);
    const second = inbox.open();
    inbox.take(first)?.consume();
    expect(taken(inbox, first)).toEqual(['3', '4']);
    expect(taken(inbox, second)).toEqual(['3']);
    // All of it is JSON, and goes on elsewhere.
    const again = createInbox(JSON.parse(JSON.stringify(inbox.state)));
    again.receive([of(4, false), of(5, true)]);
    expect(taken(again, again.open())).toEqual(['3', '5']);
  });

  test('is the newest 1,000 events of those that nobody wants, and says so when a listener is too far behind', () => {
    const inbox = createInbox();
    inbox.receive(Array.from({ length: 1_200 }, (_, n) => of(n, true)));
    const late = inbox.open();
    const ids = taken(inbox, late);
    expect([ids.length, ids[0], ids.at(-1)]).toEqual([1_000, '200', '1199']);
    inbox.receive([of(2_000, true, 'x'.repeat(600_000)), of(2_001, true, 'x'.repeat(600_000))]);
    expect(taken(inbox, late)).toEqual(['2000', '2001']);
    inbox.receive([of(2_002, false)]);
    expect(taken(inbox, inbox.open())).toEqual(['2001']);
    for (let n = 0; n < 20; n++) inbox.receive([of(3_000 + n, false, 'x'.repeat(600_000))]);
    expect([inbox.isFull(), inbox.has(late)]).toEqual([true, true]);
    expect(inbox.state.bytes).toBeLessThan(11 * 1024 * 1024);
  });
});

describe('A posted event', () => {
  test('may come with its attributes in headers', async () => {
    const runId = await start([{ big: one('big') }, { hear: one('headers', { read: 'envelope' }) }]);
    const answer = await world.api('POST', path(runId), {
      token: user.token,
      body: [1, 2],
      headers: {
        'ce-id': 'h1',
        'ce-specversion': '1.0',
        'ce-source': '/x',
        'ce-type': 'org.example.headers',
        'ce-subject': 'Euro%20%E2%82%AC',
      },
    });
    expect(answer).toMatchObject({ status: 202, body: { id: 'h1', source: '/x' } });
    // The largest that there may be: a signal with it is over what Temporal is given by value.
    const size = 256 * 1024 - JSON.stringify(event('big', '')).length - 10;
    await post(event('big', 'x'.repeat(size)), runId);
    const run = await ended(runId);
    expect(run.error).toBeNull();
    expect(stepAt(run, 'big').output).toMatchObject({ truncated: true, size_bytes: size + 4 });
    expect(run.output).toEqual([
      {
        specversion: '1.0',
        id: 'h1',
        source: '/x',
        type: 'org.example.headers',
        subject: 'Euro €',
        datacontenttype: 'application/json',
        data: [1, 2],
      },
    ]);
  });

  test('is refused with every mistake at its place', async () => {
    const answer = await world.api('POST', path(), {
      token: user.token,
      body: {
        specversion: '0.3',
        source: 'a b',
        type: '',
        time: 'today',
        Upper: 1,
        list: [],
        data: 1,
        data_base64: '!',
      },
    });
    expect(answer.status).toBe(422);
    const places = answer.body.errors.map((error: { path: string }) => error.path);
    expect(places.sort()).toEqual(
      [
        '/Upper',
        '/data_base64',
        '/data_base64',
        '/id',
        '/list',
        '/source',
        '/specversion',
        '/time',
        '/type',
      ].sort(),
    );
    for (const [body, status] of [
      [[event('a')], 422],
      ['text', 422],
      [event('big', 'x'.repeat(256 * 1024)), 413],
    ])
      expect((await world.api('POST', path(), { token: user.token, body })).status).toBe(status);
  });
});
