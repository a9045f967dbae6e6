import { afterAll, beforeAll, expect, test } from '@jest/globals';
import pg from 'pg';
import { type Client, createClient } from '../support/client.ts';
import { testStack } from '../support/stack.ts';
import { enterWorld, type World } from '../support/world.ts';

let world: World;
const other = new pg.Client({ connectionString: testStack().databaseUrl });
beforeAll(async () => {
  world = await enterWorld();
  await other.connect();
});
afterAll(async () => {
  await other.end();
  await world.close();
});

test('What waits in the database for too long is given up, is to be tried again, and is done then', async () => {
  const user = await world.newUser('operator');
  const id = await world.newWorkflow(user, []);
  const path = `/api/neosyntis/workflows/${id}`;
  const { body: before } = await world.api('GET', path, { token: user.token });
  const rename = (api: Client) =>
    api('PUT', path, { token: user.token, body: { name: 'later', steps: before.steps } });
  await other.query('begin');
  await other.query('select 1 from workflows where id = $1 for update', [id]);
  const { status, headers, body } = await rename(createClient(world.url)); // that of the world would try again
  expect({ status, retry: headers['retry-after'], code: body.code, detail: body.detail }).toEqual({
    status: 503,
    retry: '2',
    code: 'unavailable',
    detail: 'The database is busy with something else; try again.',
  });
  await other.query('rollback');
  expect((await world.api('GET', path, { token: user.token })).body).toMatchObject({ name: before.name });
  expect((await rename(world.api)).status).toBe(200);
});
