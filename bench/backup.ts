import { spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { Client } from 'pg';
import { runBlobKey } from '../domain/names.ts';
import { openStorage } from '../drivers/storage/open.ts';
import { type Installation, withInstallation } from './installation.ts';
import { percentile, tenths } from './percentile.ts';

/**
 * A backup of an installation that works, and its restore. Prints one JSON line.
 *
 * Runs, steps and frames are written as rows, large values as blobs of 1 MiB that do not compress, so the sizes are as
 * asked. Runs are triggered one after another, first alone and then while the backup is made: the time is that of the
 * request, up to its 202. The restore goes into another folder while nothing else happens.
 */
const LIMIT_P99_MS = 500;
const MIB = 1024 * 1024;
const root = fileURLToPath(new URL('..', import.meta.url));

const { values } = parseArgs({
  options: {
    runs: { type: 'string', default: '1000' },
    frames: { type: 'string', default: '10000' },
    'values-mib': { type: 'string', default: '20' },
    seconds: { type: 'string', default: '5' },
  },
});
const [runs, frames, mib, seconds] = [values.runs, values.frames, values['values-mib'], values.seconds].map(
  Number,
) as [number, number, number, number];
if (![runs, frames, mib, seconds].every((size) => Number.isInteger(size) && size > 0))
  throw new Error('--runs, --frames, --values-mib and --seconds are whole numbers above 0');

await withInstallation(async (installation) => {
  const { stack, call } = installation;
  const folder = mkdtempSync(join(tmpdir(), 'vareon-bench-backup-'));
  try {
    const steps = [{ one: { set: { n: 1 } } }];
    const { id } = await call<{ id: string }>('POST', '/api/neosyntis/workflows', { name: 'bench', steps });
    const filled = await timed(() => fill(installation, id));
    const trigger = () => call('POST', `/api/neosyntis/workflows/${id}/trigger`, {});
    const alone = await triggerUntil(trigger, pause(seconds * 1000));
    const archive = join(folder, 'backup.tar.gz');
    const backup = timed(() => command('backup', ['--to', archive], stack.dataDir));
    const during = await triggerUntil(trigger, backup);
    const { s: backup_s } = await backup;
    const restore = await timed(() => command('restore', [archive], join(folder, 'restored')));
    const sizes = { runs, frames, values_mib: mib, archive_mib: tenths(statSync(archive).size / MIB) };
    const trigger_ms = { alone: figures(alone), during: figures(during) };
    const ok = trigger_ms.during.p99 <= LIMIT_P99_MS;
    const times = { fill_s: filled.s, backup_s, restore_s: restore.s };
    console.log(
      JSON.stringify({ bench: 'backup', ...times, trigger_ms, limit_p99_ms: LIMIT_P99_MS, ok, ...sizes }),
    );
    process.exitCode = ok ? 0 : 1;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

/** Runs that ended, each with one step and its share of the frames, and the large values of the first ones. */
async function fill({ stack, call }: Installation, workflowId: string): Promise<void> {
  const me = await call<{ id: string }>('GET', '/api/users/me');
  const client = new Client(stack.databaseUrl);
  await client.connect();
  const ids =
    'create temporary table bench_ids as select gen_random_uuid() as id, n from generate_series(1, $1::int) n';
  await client.query(ids, [runs]);
  const perRun = Math.ceil(frames / runs);
  await client.query(
    `insert into jobs (id, type, name, owner_id, status, progress, seq, details, created_at, updated_at, started_at, ended_at)
     select id, 'workflow_run', 'bench', $1, 'completed', 100, $2, '{}', now(), now(), now(), now() from bench_ids`,
    [me.id, perRun],
  );
  await client.query(
    `insert into runs (id, workflow_id, version, started_by, input, output, projected, steps_total)
     select id, $1, 1, $2, '{"word": "bench"}', '{"n": 1}', 1, 1 from bench_ids`,
    [workflowId, me.id],
  );
  await client.query(
    `insert into run_steps (run_id, path, iteration, ordinal, name, kind, status, attempt, started_at, ended_at, output)
     select id, '/do/0/one', '{}', 1, 'one', 'set', 'completed', 1, now(), now(), '{"n": 1}' from bench_ids`,
  );
  await client.query(
    `insert into run_events (run_id, seq, frame)
     select id, seq, jsonb_build_object('type', 'step', 'seq', seq, 'step', jsonb_build_object('path', '/do/0/one',
       'name', 'one', 'kind', 'set', 'status', 'completed', 'attempt', 1, 'iteration', '[]'::jsonb, 'host', null,
       'started_at', now(), 'ended_at', now(), 'error', null))
     from bench_ids, generate_series(1, $1::int) seq where (n - 1) * $1::int + seq <= $2::int`,
    [perRun, frames],
  );
  const { rows } = await client.query<{ id: string }>('select id from bench_ids limit $1', [mib]);
  await client.end();
  const store = await openStorage({ dataDir: stack.dataDir });
  for (let written = 0; written < mib; written++) {
    const bytes = randomBytes(MIB);
    const owner = rows[written % rows.length]?.id ?? '';
    await store.put(runBlobKey(owner, createHash('sha256').update(bytes).digest('hex')), bytes);
  }
  store.close();
}

/** How long each request took, in ms, one after another until something has ended; at least one. */
async function triggerUntil(trigger: () => Promise<unknown>, end: Promise<unknown>): Promise<number[]> {
  let isOver = false;
  const over = end.finally(() => {
    isOver = true;
  });
  over.catch(() => {}); // awaited below
  const took: number[] = [];
  do {
    const startedAt = performance.now();
    await trigger();
    took.push(performance.now() - startedAt);
  } while (!isOver);
  await over;
  return took;
}

/** What `npm run backup` and `npm run restore` run. */
async function command(name: 'backup' | 'restore', args: string[], dataDir: string): Promise<void> {
  const { PATH, HOME, LANG } = process.env;
  const child = spawn(process.execPath, [`ops/${name}.ts`, ...args], {
    cwd: root,
    env: { PATH, HOME, LANG, VAREON_DATA_DIR: dataDir },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk: Buffer) => {
      output += chunk.toString();
    });
  const code = await new Promise((resolve) => child.once('close', resolve));
  if (code !== 0) throw new Error(`${name} ended with ${code}: ${output}`);
}

async function timed<T>(work: () => Promise<T>): Promise<{ s: number }> {
  const startedAt = performance.now();
  await work();
  return { s: tenths((performance.now() - startedAt) / 1000) };
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

function figures(ms: readonly number[]) {
  const at = (share: number) => tenths(percentile(ms, share));
  return { requests: ms.length, p50: at(0.5), p99: at(0.99), max: at(1) };
}
