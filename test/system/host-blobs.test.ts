import { createHash, randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { v7 as uuidv7 } from 'uuid';
import { supervisedHostCredential } from '../../drivers/bus/credentials.ts';
import { BlobNotFound } from '../../drivers/storage/port.ts';
import { readBlob } from '../../drivers/storage/read.ts';
import { createRemoteBlobs } from '../../drivers/storage/remote.ts';
import { readKeys } from '../../keys.ts';
import { until } from '../support/client.ts';
import { stackKeysDir } from '../support/stack.ts';
import { enterWorld, expectStatus, type TestUser, type World } from '../support/world.ts';

let world: World;
let user: TestUser;
let runId: string;
let credential: string;
let key: Buffer;

/** A run whose step is open on the host `local` until it is cancelled. */
beforeAll(async () => {
  world = await enterWorld();
  user = await world.newUser('operator', { runsCode: true });
  key = readKeys({ keysDir: stackKeysDir() }).bus;
  credential = supervisedHostCredential(key, 'local');
  const id = await world.newWorkflow(user, [{ open: { run: { shell: { command: 'sleep 300' } } } }]);
  const { token } = user;
  const { run_id } = await expectStatus(
    202,
    world.api('POST', `/api/neosyntis/workflows/${id}/trigger`, { token, body: {} }),
  );
  runId = run_id;
  await until(
    async () => (await ask('GET', keyOf(randomBytes(8)))).status,
    (status) => status === 404,
    60_000,
  );
});
afterAll(async () => {
  await world.api('POST', `/api/neosyntis/runs/${runId}/cancel`, { token: user.token });
  await world.close();
});

const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');
const keyOf = (bytes: Uint8Array, run = runId) => `runs/${run}/${sha256(bytes)}`;

const ask = (method: string, blob: string, options: { body?: Buffer; credential?: string } = {}) =>
  fetch(`${world.url}/api/host/blobs/${blob}`, {
    method,
    headers: { Authorization: `Bearer ${options.credential ?? credential}` },
    ...(options.body ? { body: new Uint8Array(options.body) } : {}),
  });

/** The credential of another host. */
async function otherHost(): Promise<string> {
  const { token } = world.admin;
  const enrolment = await expectStatus(201, world.api('POST', '/api/hosts/enrolments', { token, body: {} }));
  const name = `other-${randomBytes(4).toString('hex')}`;
  const body = { token: enrolment.token, name };
  return (await world.api('POST', '/api/host/enrol', { body })).body.credential;
}

describe('A worker host', () => {
  test('keeps and reads large values of a run that it has a step of', async () => {
    const blobs = createRemoteBlobs({ apiUrl: world.url, credential });
    const bytes = randomBytes(3_000_000);
    const name = keyOf(bytes);
    expect(await blobs.stat(name)).toBeUndefined();
    await expect(blobs.get(name)).rejects.toThrow(BlobNotFound);
    expect(await blobs.put(name, bytes)).toEqual({ key: name, sizeBytes: bytes.length });
    expect(await blobs.stat(name)).toEqual({ key: name, sizeBytes: bytes.length });
    expect((await readBlob(blobs, name, bytes.length)).equals(bytes)).toBe(true);
  });

  test('cannot put anything in place of another value, or anything too large', async () => {
    const name = keyOf(Buffer.from('one'));
    expect((await ask('PUT', name, { body: Buffer.from('two') })).status).toBe(422);
    expect((await ask('GET', name)).status).toBe(404);
    const large = Buffer.alloc(16 * 1024 * 1024 + 1);
    // The answer may come before all of it was sent, and the connection then ends.
    const status = await ask('PUT', keyOf(large), { body: large }).then(
      (answer) => answer.status,
      () => 413,
    );
    expect(status).toBe(413);
    expect((await ask('GET', keyOf(large))).status).toBe(404);
  });

  test.each(['../../keys/bus.key', 'runs/x/../../keys', 'runs/x/y'])('finds nothing at %s', async (path) => {
    expect((await ask('GET', path)).status).toBe(404);
  });

  test('reaches no other run, and no one else reaches this one', async () => {
    const name = keyOf(randomBytes(8));
    expect((await ask('GET', keyOf(randomBytes(8), uuidv7()))).status).toBe(403);
    expect((await ask('GET', name, { credential: await otherHost() })).status).toBe(403);
    expect(
      (await ask('GET', name, { credential: supervisedHostCredential(randomBytes(32), 'local') })).status,
    ).toBe(401);
    expect((await ask('GET', name, { credential: world.admin.token })).status).toBe(401);
  });

  test('reaches a run no more once its step is over', async () => {
    await world.api('POST', `/api/neosyntis/runs/${runId}/cancel`, { token: user.token });
    await world.untilRun(user, runId, ({ status }) => status === 'cancelled', 60_000);
    expect((await ask('GET', keyOf(randomBytes(8)))).status).toBe(403);
  });
});
