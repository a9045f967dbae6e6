import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { appendLog, openLogs } from '../../db/myntrix/logs.ts';
import { framesAfter } from '../../db/neosyntis/frames.ts';
import { applyProjection } from '../../db/neosyntis/projection.ts';
import { type Database, openDatabase } from '../../db/orm.ts';
import type { ProjectionBatch } from '../../domain/neosyntis/projection.ts';
import { createLogger } from '../../logs.ts';
import { testStack } from '../support/stack.ts';
import { enterWorld, type TestUser, type World } from '../support/world.ts';

/** Batches that come twice, late and at once, beside output of the run's steps. */
const BATCHES = 40;
const CHANGES = 3;
const CHUNKS = 60;
const RUNS = 3;

let world: World;
let user: TestUser;
let database: Database;
beforeAll(async () => {
  world = await enterWorld('sql');
  user = await world.newUser('operator', { runsCode: true });
  const log = createLogger('test', 'silent');
  database = await openDatabase({
    databaseUrl: testStack().databaseUrl,
    poolSize: 10,
    connectWithinMs: 60_000,
    log,
  });
});
afterAll(async () => {
  await database?.close();
  await world.close();
});

/** A run that waits, and so says nothing more itself. */
async function sleepingRun(): Promise<{ id: string; projected: number; seq: number }> {
  const workflow = await world.newWorkflow(user, [{ long: { wait: { hours: 1 } } }]);
  const { body } = await world.api('POST', `/api/neosyntis/workflows/${workflow}/trigger`, {
    token: user.token,
  });
  const id = body.run_id;
  await world.untilRun(user, id, ({ steps }) => steps[0]?.status === 'waiting');
  const [row] = await world.sql<{ projected: string; seq: string }>(
    'select r.projected, j.seq from runs r join jobs j on j.id = r.id where r.id = ?',
    [id],
  );
  return { id, projected: Number(row?.projected), seq: Number(row?.seq) };
}

const path = (index: number) => `/do/${index}/s`;

function batch(run: { id: string; projected: number }, index: number): ProjectionBatch {
  const first = index * CHANGES;
  const changes = Array.from({ length: CHANGES }, (_, at) => ({
    step: {
      ...{ path: path(first + at), iteration: [], name: 's', kind: 'set', status: 'completed' as const },
      ...{ attempt: 1, output: first + at },
    },
  }));
  return { runId: run.id, from: run.projected + first + 1, changes, progress: Math.min(99, index) };
}

test('Batches at once, twice and late are each applied once, with numbers without gaps beside those of the log', async () => {
  const host = `h-${randomBytes(4).toString('hex')}`;
  const runs = await Promise.all(Array.from({ length: RUNS }, sleepingRun));
  const told = async (run: (typeof runs)[number]) => {
    const frames: number[] = [];
    // A hint, the batch itself, and the batch of a worker that was thought to be dead.
    const send = async () => {
      for (let index = 0; index < BATCHES; index++)
        frames.push(
          ...(await applyProjection(database, batch(run, index), null)).frames.map(({ seq }) => seq),
        );
    };
    await openLogs(database, { runId: run.id, path: path(0), iteration: [], attempt: 1, host });
    const print = async () => {
      for (let index = 0; index < CHUNKS; index++) {
        const chunk = { run_id: run.id, path: path(0), iteration: [], stream: 'stdout' as const };
        const at = new Date().toISOString();
        const { frame } = await appendLog(database, host, {
          ...{ ...chunk, offset: index * 2, length: 2, text: 'ab', at },
        });
        if (frame) frames.push(frame.seq);
      }
    };
    await Promise.all([send(), send(), send(), print()]);
    return frames.sort((a, b) => a - b);
  };
  const all = await Promise.all(runs.map(told));
  for (const [index, run] of runs.entries()) {
    const expected = Array.from({ length: BATCHES * CHANGES + CHUNKS }, (_, at) => run.seq + at + 1);
    expect(all[index]).toEqual(expected);
    const stored = await framesAfter(database, run.id, run.seq, 1_000);
    expect(stored.map(({ seq }) => seq)).toEqual(expected);
    const steps = stored.flatMap(({ type, step }) =>
      type === 'step' ? [(step as { path: string }).path] : [],
    );
    expect(steps).toEqual(Array.from({ length: BATCHES * CHANGES }, (_, at) => path(at)));
    const [row] = await world.sql<{ steps_total: number; n: number; last: number; progress: number }>(
      `select r.steps_total, j.progress, (select count(*)::int from run_steps s where s.run_id = r.id) as n,
         (select (s.output)::text::int from run_steps s where s.run_id = r.id order by ordinal desc limit 1) as last
       from runs r join jobs j on j.id = r.id where r.id = ?`,
      [run.id],
    );
    expect(row).toMatchObject({
      ...{ steps_total: 1 + BATCHES * CHANGES, n: 1 + BATCHES * CHANGES },
      ...{ last: BATCHES * CHANGES - 1, progress: BATCHES - 1 },
    });
    await world.api('POST', `/api/neosyntis/runs/${run.id}/cancel`, { token: user.token });
  }
});
