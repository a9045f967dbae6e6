// biome-ignore-all lint/suspicious/noTemplateCurlyInString: runtime expressions are strings.
import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { Client } from 'pg';
import { createEnvelope } from '../../drivers/secrets/envelope.ts';
import {
  keyId,
  makeNextKey,
  promoteNextKey,
  readKey,
  removeOlderKey,
} from '../../drivers/secrets/key-files.ts';
import { openKeyring } from '../../drivers/secrets/keyring.ts';
import { until } from '../support/client.ts';
import { testStack } from '../support/stack.ts';
import { enterWorld, type TestUser, type World } from '../support/world.ts';

let world: World;
let user: TestUser;
const folder = join(testStack().dataDir, 'keys');
const base = '/api/neosyntis/secrets';

beforeAll(async () => {
  world = await enterWorld('sql');
  user = await world.newUser('operator', { runsCode: true });
});
afterAll(() => world.close());

/** Starts what the command starts, so that a kill reaches it; the stack of the tests runs on. */
const rotate = () => {
  const { dataDir, databaseUrl } = testStack();
  return follow('workers/rotate-keys.ts', { DATABASE_URL: databaseUrl, VAREON_DATA_DIR: dataDir });
};

/** The command as a person gives it beside `npm start`, which finds the database by itself. */
const rotateByHand = () => follow('local/rotate-keys.ts', { VAREON_DATA_DIR: testStack().dataDir });

function follow(
  script: string,
  env: Record<string, string>,
): { child: ChildProcess; output: () => string; end: Promise<number | null> } {
  const NODE_COMPILE_CACHE = 'node_modules/.cache/vareon/compile';
  const { PATH } = process.env;
  const child = spawn(process.execPath, [script], { env: { PATH, NODE_COMPILE_CACHE, ...env } });
  let text = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (text += chunk));
  return { child, output: () => text, end: once(child, 'close').then(([code]) => code as number | null) };
}

const currentId = () => keyId(readKey(join(folder, 'encryption.key')));
const keyFiles = () => readdirSync(folder).filter((file) => file.startsWith('encryption'));
const put = (name: string, value: unknown) =>
  world.api('PUT', `${base}/${name}`, { token: user.token, body: { value } });

/** Whether a run finds the value, by its length: values are masked. */
async function lengthOf(name: string): Promise<unknown> {
  const environment = { N: `\${ $secrets.${name} | length }` };
  const run = await world.run(user, [{ count: { run: { shell: { command: 'echo "$N"', environment } } } }]);
  return run.output ?? run.error;
}

/** Does what is to be done while no rotation gets past this secret of the user. */
async function held<T>(name: string, work: () => Promise<T>): Promise<T> {
  const holder = new Client(testStack().databaseUrl);
  await holder.connect();
  try {
    await holder.query('begin');
    await holder.query('select 1 from secrets where owner_id = $1 and name = $2 for update', [user.id, name]);
    return await work();
  } finally {
    await holder.end();
  }
}

const keysInUse = () =>
  world.sql<{ key_id: string }>(
    'select distinct key_id from (select key_id from secrets union all select key_id from outbox_mails) k where key_id is not null',
  );

describe('A rotation of the encryption key', () => {
  test('goes on while the platform works, and loses no secret and no mail', async () => {
    const before = currentId();
    await put('kept', 'x'.repeat(31));
    const mail = { to: 'ops@example.org', subject: 'x', text: 'sealed before' };
    const sent = await world.run(user, [{ mail: { call: 'notify.email', with: mail } }]);
    let isOver = false;
    const statuses: number[] = [];
    const lengths: unknown[] = [];
    // All the time, and not as fast as it can: the rotation is to have the machine too.
    const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
    const writer = (async () => {
      for (let n = 0; !isOver; n++, await pause(75))
        statuses.push((await put(`busy_${n % 20}`, `value ${n}`)).status);
    })();
    const reader = (async () => {
      for (; !isOver; await pause(300)) lengths.push(await lengthOf('kept'));
    })();
    const many = () =>
      until(
        async () => statuses.length,
        (count) => count > 10,
        60_000,
      );
    await many();
    const { output, end } = rotateByHand();
    expect([await end, output()]).toEqual([
      0,
      expect.stringMatching(/is removed: nothing is sealed with it/),
    ]);
    // And after it as many: it was in the middle of them.
    const during = statuses.splice(0);
    await many();
    isOver = true;
    await Promise.all([writer, reader]);
    expect(currentId()).not.toBe(before);
    expect(keyFiles()).toEqual(['encryption.key']);
    expect(await keysInUse()).toEqual([{ key_id: currentId() }]);
    expect([...during, ...statuses].filter((status) => status !== 200 && status !== 201)).toEqual([]);
    expect(new Set(lengths)).toEqual(new Set(['31\n']));
    expect(await lengthOf('kept')).toBe('31\n');
    const { body } = await world.api('GET', `/api/outbox/${sent.output.mail_ids[0]}`, {
      token: world.admin.token,
    });
    expect(body.text).toBe('sealed before');
  });

  test('that is killed in the middle leaves everything readable, and the next one goes on with it', async () => {
    for (let n = 0; n < 250; n += 25)
      await Promise.all(
        Array.from({ length: 25 }, (_, index) => put(`many_${n + index}`, `value ${n + index}`)),
      );
    const before = currentId();
    // It comes to the last of them after a hundred others.
    const first = await held('many_249', async () => {
      const rotation = rotate();
      await until(
        async () => rotation.output(),
        (text) => /sealed anew/.test(text),
        60_000,
      );
      rotation.child.kill('SIGKILL');
      return rotation;
    });
    await first.end;
    const between = currentId();
    expect(between).not.toBe(before);
    expect(keyFiles().sort()).toEqual([`encryption-${before}.key`, 'encryption.key']);
    expect(await lengthOf('many_249')).toBe('9\n');
    const second = rotate();
    expect([await second.end, second.output()]).toEqual([0, expect.stringMatching(/interrupted/)]);
    expect(currentId()).toBe(between);
    expect(keyFiles()).toEqual(['encryption.key']);
    expect(await keysInUse()).toEqual([{ key_id: between }]);
    expect([await lengthOf('many_0'), await lengthOf('many_249')]).toEqual(['7\n', '9\n']);
  });

  test('that was killed before its key sealed anything puts that very key in place', async () => {
    makeNextKey(folder);
    const next = keyId(readKey(join(folder, 'encryption-next.key')));
    const { output, end } = rotate();
    expect([await end, output()]).toEqual([0, expect.stringContaining(`key ${next} seals from now on`)]);
    expect(currentId()).toBe(next);
    expect(existsSync(join(folder, 'encryption-next.key'))).toBe(false);
  });

  test('runs once at a time', async () => {
    // However late the other comes, the first is not over by then.
    const both = await held('kept', async () => {
      const started = [rotate(), rotate()];
      await Promise.race(started.map(({ end }) => end));
      return started;
    });
    const codes = await Promise.all(both.map(({ end }) => end));
    expect(codes.sort()).toEqual([0, 1]);
    expect(both.map(({ output }) => output()).join('')).toContain('another rotation is under way');
  });

  test('keeps a key with which something is sealed that nobody can open, and names it', async () => {
    await put('damaged', 'whole');
    const [row] = await world.sql<{ id: string; sealed: Buffer }>(
      "select s.id, s.sealed from secrets s where owner_id = ? and name = 'damaged'",
      [user.id],
    );
    if (!row) throw new Error('not written');
    const before = currentId();
    const wrong = Buffer.from(row.sealed);
    wrong.writeUInt8(wrong.readUInt8(wrong.length - 1) ^ 1, wrong.length - 1);
    await world.sql('update secrets set sealed = ? where id = ?', [wrong, row.id]);
    const { output, end } = rotate();
    expect([await end, output()]).toEqual([1, expect.stringContaining(`secrets ${row.id} cannot be opened`)]);
    expect(output()).toContain(`key ${before} stays: 1 rows are sealed with it`);
    await world.sql('delete from secrets where id = ?', [row.id]);
    const again = rotate();
    expect([await again.end, keyFiles()]).toEqual([0, ['encryption.key']]);
  });

  test('ends the use of the old key also for a process that still has it', async () => {
    const old = createEnvelope([readKey(join(folder, 'encryption.key'))]);
    expect(await rotate().end).toBe(0);
    await put('late', 'x');
    const [row] = await world.sql<{ id: string }>(
      "select id from secrets where name = 'late' and owner_id = ?",
      [user.id],
    );
    const sealed = old.seal('"late"', `secrets/${row?.id}`);
    await expect(world.sql('update secrets set sealed = ? where id = ?', [sealed, row?.id])).rejects.toThrow(
      /key that was retired/,
    );
  });

  test('knows every table that keeps something sealed', async () => {
    const { sealedTables } = await import('../../db/system/sealed-rows.ts');
    const found = await world.sql<{ table_name: string }>(
      `select s.table_name from information_schema.columns s
       join information_schema.columns k using (table_schema, table_name)
       where s.column_name like '%sealed%' and k.column_name = 'key_id' or s.data_type = 'bytea' and s.column_name = 'sealed'
       group by 1 order by 1`,
    );
    expect(found.map((row) => row.table_name)).toEqual(sealedTables.map(({ table }) => table).sort());
    for (const { table } of sealedTables)
      expect(
        await world.sql('select 1 as is_there from pg_trigger where tgname = ?', [`${table}_key`]),
      ).toHaveLength(1);
  });
});

describe('A process that has keys', () => {
  test('seals with a new key from the moment it is there, and opens what another one sealed with it', () => {
    const own = mkdtempSync(join(tmpdir(), 'vareon-keyring-'));
    writeFileSync(join(own, 'encryption.key'), randomBytes(32).toString('base64'));
    const [one, other] = [createEnvelope(openKeyring(own)), createEnvelope(openKeyring(own))];
    const earlier = one.seal('earlier', 'row/1');
    makeNextKey(own);
    const { from, to } = promoteNextKey(own);
    expect(from).not.toBe(to);
    const later = one.seal('later', 'row/2');
    expect(later.subarray(1, 9).toString('hex')).toBe(to);
    expect([other.open(later, 'row/2'), other.open(earlier, 'row/1')]).toEqual(['later', 'earlier']);
    expect(createEnvelope(openKeyring(own)).open(earlier, 'row/1')).toBe('earlier');
    removeOlderKey(own, from);
    expect(() => createEnvelope(openKeyring(own)).open(earlier, 'row/1')).toThrow(from);
    rmSync(own, { recursive: true });
  });

  test('finds both of them also when a power cut undid the last step', () => {
    const own = mkdtempSync(join(tmpdir(), 'vareon-keyring-'));
    const file = join(own, 'encryption.key');
    writeFileSync(file, randomBytes(32).toString('base64'));
    const older = readFileSync(file);
    makeNextKey(own);
    const { to } = promoteNextKey(own);
    const sealed = createEnvelope(openKeyring(own)).seal('in between', 'row/1');
    // As if the rename had never reached the disk.
    renameSync(file, join(own, 'encryption-next.key'));
    writeFileSync(file, older);
    expect(createEnvelope(openKeyring(own)).open(sealed, 'row/1')).toBe('in between');
    makeNextKey(own);
    expect(promoteNextKey(own).to).toBe(to);
    rmSync(own, { recursive: true });
  });
});
