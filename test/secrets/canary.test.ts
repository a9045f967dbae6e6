// biome-ignore-all lint/suspicious/noTemplateCurlyInString: runtime expressions are strings.
import { randomBytes } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { testStack } from '../support/stack.ts';
import { enterWorld, type TestUser, type World } from '../support/world.ts';

let world: World;
let user: TestUser;
const canary = `cAnAry/${randomBytes(18).toString('base64')}+&`;
const value = `${canary}\nsecond ${canary.slice(7)}`;
const second = `second ${canary.slice(7)}`;
const name = `canary_${randomBytes(4).toString('hex')}`;
const answers: string[] = [];
let runIds: string[] = [];
let printed = '';

/** The value and its lines as they are, as text in JSON, in a URL and in base64, alone or after a user name. */
const forms = [value, canary, second].flatMap((text) => {
  const base64 = [text, `ada:${text}`, `lo:${text}`].map((one) =>
    Buffer.from(one).toString('base64').slice(8, -8),
  );
  const json = JSON.stringify(text).slice(1, -1);
  return [text, json, JSON.stringify(json).slice(1, -1), encodeURIComponent(text), ...base64];
});
/** Base64 may come in lines, which JSON spells `\\n`. */
const found = (where: string, text: string) => {
  const texts = [text, text.replaceAll(/\\+[rn]|[\r\n]/g, '')];
  return forms.filter((form) => texts.some((one) => one.includes(form))).map(() => where);
};

/** Prints the secret in every way that a program may, and leaves with an error. */
const printing = [
  'printf "%s" "$S"; printf "%s" "$S" | base64 -w0; printf "ada:%s" "$S" | base64; echo "$S" | head -1',
  'for i in $(seq 1 60); do printf "%s" "$S" | head -c 20; sleep 0.02; printf "%s" "$S" | tail -c +21; echo; done',
  'printf "%s" "$J"; printf "%s" "$U"; echo "$S" >&2; cat; exit "$CODE"',
].join('; ');

const code = (exit: number) => ({
  run: {
    shell: {
      command: printing,
      environment: {
        S: `\${ $secrets.${name} }`,
        J: `\${ {a: $secrets.${name}} | tojson | tojson }`,
        U: `\${ $secrets.${name} | @uri }`,
        CODE: String(exit),
      },
      stdin: `\${ {deep: [$secrets.${name}], basic: ("ada:" + $secrets.${name} | @base64)} }`,
    },
  },
});

beforeAll(async () => {
  world = await enterWorld('sql', 'temporal');
  user = await world.newUser('operator', { runsCode: true });
  const call = async (method: string, path: string, body?: unknown) => {
    const answer = await world.api(method, path, {
      token: user.token,
      ...(body === undefined ? {} : { body }),
    });
    answers.push(answer.text, JSON.stringify(answer.headers));
    return answer;
  };
  expect((await call('POST', '/api/neosyntis/secrets', { name, value: 'before' })).status).toBe(201);
  expect((await call('PUT', `/api/neosyntis/secrets/${name}`, { value })).status).toBe(200);
  await call('GET', '/api/neosyntis/secrets');
  const mail = { to: 'ops@example.org', subject: 'x' };
  const list: unknown[][] = [
    [{ code: code(0) }, { after: { set: { copy: '${ . }' }, export: { as: '.copy' } } }],
    [{ code: code(3) }],
    [{ code: { ...code(0), output: { as: '{ again: . }' } } }],
    [{ mail: { call: 'notify.email', with: { ...mail, text: `\${ "It is \\($secrets.${name})" }` } } }],
    // Errors of jq quote the value.
    [{ mail: { call: 'notify.email', with: { ...mail, text: `\${ $secrets.${name} | tonumber }` } } }],
    [{ mail: { call: 'notify.email', with: { ...mail, text: `\${ error($secrets.${name}) }` } } }],
    [{ mail: { call: 'notify.email', with: { ...mail, text: `\${ [$secrets.${name}] }` } } }],
    [{ code: { run: { shell: { command: 'true', environment: { S: `\${ [$secrets.${name}] }` } } } } }],
    [
      {
        code: { run: { shell: { command: 'true', environment: { LD_PRELOAD: `\${ $secrets.${name} }` } } } },
      },
    ],
  ];
  const runs = [];
  for (const steps of list) runs.push(await world.run(user, steps));
  runIds = runs.map(({ id }) => id);
  expect(runs.map(({ status }) => status)).toEqual([
    ...['completed', 'failed', 'completed', 'completed', 'failed', 'failed', 'failed', 'failed', 'failed'],
  ]);
  printed = String(runs[0]?.output.copy);
  for (const id of runIds) {
    await call('GET', `/api/neosyntis/runs/${id}`);
    await call('GET', `/api/myntrix/jobs/${id}`);
    await call('GET', `/api/myntrix/jobs/${id}/logs`);
    const socket = await world.watch(user, `/ws/neosyntis/runs/${id}?after=0`);
    await socket.next((frame) => frame.type === 'run' && ['completed', 'failed'].includes(frame.run.status));
    answers.push(JSON.stringify(socket.frames));
    socket.close();
  }
});
afterAll(() => world.close());

test('A secret that was used and printed is in no answer and no live frame', () => {
  expect(printed.match(/\*\*\*/g)?.length).toBeGreaterThan(60);
  expect(answers.flatMap((text) => found(text.slice(0, 200), text))).toEqual([]);
});

test('nor in the history of any run', async () => {
  for (const id of runIds) {
    const handle = world.temporal.workflow.getHandle(id);
    await handle.result().catch(() => {}); // people see the end a moment before Temporal has it
    const history = await handle.fetchHistory();
    const payloads: string[] = [];
    const read = (part: unknown): void => {
      if (part instanceof Uint8Array) payloads.push(Buffer.from(part).toString('utf8'));
      else if (typeof part === 'string') payloads.push(part);
      else if (part !== null && typeof part === 'object') Object.values(part).forEach(read);
    };
    read(history.events);
    const text = payloads.join('\n');
    // It was looked at: the expression itself is there, unevaluated.
    expect(text).toContain(`$secrets.${name}`);
    expect(found(id, text)).toEqual([]);
  }
});

test('nor in any column of any table', async () => {
  const columns = await world.sql<{ table_name: string; column_name: string }>(
    `select c.table_name, c.column_name from information_schema.columns c
     join information_schema.tables t using (table_schema, table_name)
     where c.table_schema = 'public' and t.table_type = 'BASE TABLE'`,
  );
  expect(columns.length).toBeGreaterThan(100);
  const places: { form: string; at: string }[] = [];
  // Its name is where it ought to be: so the search does find what is there.
  const sought = JSON.stringify([name, ...forms.flatMap((form) => [form, Buffer.from(form).toString('hex')])]);
  for (const { table_name: table, column_name: column } of columns) {
    const seen = await world.sql<{ form: string }>(
      `with t as materialized (select distinct "${column}"::text as text from "${table}")
       select distinct form from t, jsonb_array_elements_text(?::jsonb) form where position(form in t.text) > 0`,
      [sought],
    );
    places.push(...seen.map(({ form }) => ({ form, at: `${table}.${column}` })));
  }
  expect(places).toContainEqual({ form: name, at: 'secrets.name' });
  expect(places.filter(({ form }) => form !== name)).toEqual([]);
  const [row] = await world.sql<{ n: number }>('select count(*)::int as n from secrets where name = ?', [
    name,
  ]);
  expect(row?.n).toBe(1);
});

test('nor in any log, spool or other file of the stack but the mail server’s own', () => {
  const { dataDir } = testStack();
  const files = ['logs', 'hosts', 'temporal'].flatMap((folder) => filesBelow(join(dataDir, folder)));
  expect(files.some((file) => file.endsWith('platform.log'))).toBe(true);
  expect(files.some((file) => file.includes('/spool/'))).toBe(true);
  expect(files.flatMap((file) => found(file, contentOf(file)))).toEqual([]);
});

const filesBelow = (folder: string): string[] =>
  unlessGone(folder, () => readdirSync(folder, { withFileTypes: true }), []).flatMap((entry) => {
    const path = join(folder, entry.name);
    return entry.isDirectory() ? filesBelow(path) : entry.isFile() ? [path] : [];
  });

const contentOf = (file: string): string => unlessGone(file, () => readFileSync(file, 'latin1'), '');

/** What there is without it, when it was removed since it was listed: other tests run code at the same time. */
function unlessGone<T>(path: string, read: () => T, nothing: T): T {
  try {
    return read();
  } catch (error) {
    if (!existsSync(path)) return nothing;
    throw error;
  }
}
