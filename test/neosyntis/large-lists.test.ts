import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { enterWorld, type TestUser, type World } from '../support/world.ts';

let world: World;
let user: TestUser;
beforeAll(async () => {
  world = await enterWorld('sql');
  user = await world.newUser('operator');
});
afterAll(() => world.close());

const base = '/api/neosyntis/workflows';
const MIB = 1024 * 1024;
/** Almost as large as a definition may be. */
const large = [{ a: { set: { text: 'x'.repeat(250_000) } } }];
const get = (path: string) => world.api('GET', path, { token: user.token });

describe('What one user has saved', () => {
  test('comes in pages that fit into memory, and all of it comes', async () => {
    const id = await world.newWorkflow(user, large);
    // As many requests would leave them.
    await world.sql(
      `with made as (
         insert into workflows (id, owner_id, name, version, created_at, updated_at)
         select gen_random_uuid(), owner_id, name, 1, created_at, updated_at
         from workflows, generate_series(1, 44) where id = ? returning id)
       insert into workflow_versions (workflow_id, version, document, steps, uses_code, created_at, created_by)
       select made.id, 1, v.document, v.steps, v.uses_code, v.created_at, v.created_by
       from made, workflow_versions v where v.workflow_id = ?`,
      [id, id],
    );
    const seen: string[] = [];
    let pages = 0;
    for (let next: string | undefined = base; next; pages++) {
      const answer = await get(next);
      expect(answer.text.length).toBeLessThan(9 * MIB);
      seen.push(...answer.body.map((workflow: { id: string }) => workflow.id));
      next = /<([^>]+)>; rel="next"/.exec(String(answer.headers.link ?? ''))?.[1];
    }
    expect(pages).toBe(2);
    expect(seen).toEqual([...new Set(seen)].sort().reverse());
    expect(seen).toHaveLength(45);
  });

  test('and its versions, the newest ones', async () => {
    const id = await world.newWorkflow(user, large);
    await world.sql(
      `insert into workflow_versions (workflow_id, version, document, steps, uses_code, created_at, created_by)
       select workflow_id, n, document, steps, uses_code, created_at, created_by
       from workflow_versions, generate_series(2, 45) as n where workflow_id = ?`,
      [id],
    );
    await world.sql('update workflows set version = 45 where id = ?', [id]);
    const { text, body } = await get(`${base}/${id}/versions`);
    expect(text.length).toBeLessThan(9 * MIB);
    expect(body[0].version).toBe(45);
    expect(body.length).toBeGreaterThan(20);
  });

  test('and a run with very much beside its steps shows the rest by size and beginning', async () => {
    const run = await world.run(user, [{ first: { set: { text: 'short' } } }]);
    // As a loop of so many rounds leaves them; running it would take long.
    await world.sql(
      `insert into run_steps (run_id, path, iteration, ordinal, name, kind, status, attempt, input, output)
       select ?, '/do/1/loop/do/0/keep', array[n], 100 + n, 'keep', 'set', 'completed', 1, 'null',
         json_build_object('text', repeat('y', 60000)) from generate_series(0, 399) as n`,
      [run.id],
    );
    const { text, body } = await get(`/api/neosyntis/runs/${run.id}`);
    expect(text.length).toBeLessThan(18 * MIB);
    const kept = body.steps.filter(({ name }: { name: string }) => name === 'keep');
    expect(kept).toHaveLength(400);
    expect(body.steps[0].output).toEqual({ text: 'short' });
    expect(kept[0].output.text).toHaveLength(60_000);
    expect(kept[399]).toMatchObject({ input: null, output: { truncated: true, size_bytes: 60_013 } });
    expect(kept[399].output.preview).toMatch(/yyy/);
  });
});
