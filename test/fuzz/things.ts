import { createHash, randomInt, randomUUID } from 'node:crypto';
import type { Answer } from '../support/client.ts';
import { expectStatus, PASSWORD, type TestUser, type World } from '../support/world.ts';
import type { FuzzRequest, Who } from './requests.ts';

/** Logins count for 10 minutes; a long campaign makes new ones. */
const LOGIN_FOR_MS = 4 * 60_000;
/** Operations that end the login or change the account of who asks, which then is one that nobody else uses. */
const ownLogin = new Set(['POST /api/logout', 'POST /api/users/me/password', 'PUT /api/users/me']);

/** Resets are counted by address. */
const fresh = () =>
  process.platform === 'linux' ? { from: `127.1.${randomInt(1, 255)}.${randomInt(1, 255)}` } : {};

/** What requests are about: accounts, logins and ids that exist. Made when they are needed, again when they are used up. */
export async function createThings(world: World) {
  const { api, admin } = world;
  const people: Record<'owner' | 'other' | 'viewer' | 'admin', TestUser> = {
    owner: await world.newUser('operator', { runsCode: true }),
    other: await world.newUser('operator'),
    viewer: await world.newUser('viewer'),
    admin: await world.newUser('admin'),
  };
  const users = new Set(Object.values(people));
  const loggedInAt = new Map<TestUser, number>([...users].map((user) => [user, Date.now()]));
  const kept = new Map<string, Promise<string>>();

  let asking: Promise<{ [name: string]: string }> | undefined;

  const keep = (key: string, make: () => Promise<string>): Promise<string> => {
    const known = kept.get(key);
    if (known) return known;
    const making = make();
    kept.set(key, making);
    making.catch(() => kept.delete(key));
    return making;
  };
  const post = async (path: string, body: unknown, token = admin.token, status = 201) =>
    expectStatus(status, api('POST', path, { token, body }));

  async function tokenOf(user: TestUser): Promise<string> {
    if (Date.now() - (loggedInAt.get(user) ?? 0) > LOGIN_FOR_MS) {
      loggedInAt.set(user, Date.now());
      user.token = (
        await post('/api/token', { username: user.username, password: PASSWORD }, '', 200)
      ).access_token;
    }
    return user.token;
  }
  async function adminToken(): Promise<string> {
    return tokenOf(people.admin);
  }

  const workflow = () =>
    world.newWorkflow(people.owner, [{ greet: { set: { message: '${ "Hello " + .name }' } } }]);
  const run = async () =>
    (await world.run({ ...people.owner, token: await tokenOf(people.owner) }, [{ a: { set: { b: 1 } } }])).id;
  const newHost = async () => {
    const { token } = await post('/api/hosts/enrolments', {}, await adminToken());
    const name = `f-${randomUUID().slice(0, 13)}`;
    const { credential } = await post('/api/host/enrol', { token, name }, '', 201);
    return { name, credential };
  };
  const apiToken = async () =>
    post(
      '/api/api-tokens',
      {
        name: 'fuzz',
        permissions: ['neosyntis:workflows:read', 'neosyntis:workflows:write'],
        expires_at: null,
      },
      await tokenOf(people.owner),
    );

  const secret = async () =>
    (
      await post(
        '/api/neosyntis/secrets',
        { name: `s_${randomUUID().replaceAll('-', '')}`, value: 'a value' },
        await tokenOf(people.owner),
      )
    ).name;

  const approval = () => {
    asking ??= (async () => {
      const user = { ...people.owner, token: await tokenOf(people.owner) };
      const id = await world.newWorkflow(user, [{ ask: { call: 'approval.wait' } }]);
      const { run_id } = await post(`/api/neosyntis/workflows/${id}/trigger`, {}, user.token, 202);
      const run = await world.untilRun(user, run_id, ({ status }) => status === 'waiting');
      return { run_id, id: String(run.steps[0].approval_id), path: encodeURIComponent('/do/0/ask') };
    })();
    return asking;
  };

  const agent = async (): Promise<string> => {
    const body = { name: 'fuzzed', configuration: { command: 'true', restart: 'on-failure' } };
    return (await post('/api/myntrix/agents', body, await adminToken())).id;
  };

  const device = async (): Promise<string> =>
    (await post('/api/myntrix/devices', { name: 'fuzzed', connectionString: 'mock://x' }, await adminToken()))
      .id;
  const deviceSettings = async (): Promise<string> =>
    (await post('/api/neosyntis/devices', { device_id: await device() }, await adminToken())).id;

  const task = async (): Promise<string> => {
    const body = {
      name: 'fuzzed',
      schedule: '@yearly',
      overlap: 'allow_all',
      action: { type: 'api', url: 'http://127.0.0.1:9/' },
    };
    return (await post('/api/myntrix/tasks', body, await tokenOf(people.owner))).id;
  };
  const tick = async (): Promise<string> =>
    (await post(`/api/myntrix/tasks/${await task()}/run`, undefined, await tokenOf(people.owner), 202))
      .run_id;
  const series = async (): Promise<string> => {
    const token = await tokenOf(people.owner);
    const metric_name = `f${randomUUID()}`;
    const reading = { timestamp: new Date().toISOString(), metric_name, value: 1 };
    await post('/api/neosyntis/telemetry/ingest', [reading], token, 200);
    const { body } = await api('GET', `/api/neosyntis/telemetry/series?metric_name=${metric_name}`, {
      token,
    });
    return body[0].id;
  };

  /** The kind of id that a path's parameter holds, and how one is made. */
  const makers: [path: RegExp, make: (name: string) => Promise<string>][] = [
    [
      /^\/api\/host\/blobs\//,
      async (name) =>
        ({ sha256: createHash('sha256').update('').digest('hex'), upload_id: randomUUID() })[name] ?? run(),
    ],
    [/^\/api\/neosyntis\/secrets\//, secret],
    [/^\/api\/neosyntis\/telemetry\/series\//, series],
    [
      /^\/api\/neosyntis\/workflows\//,
      async (name) => (name === 'version' ? '1' : (await tokenOf(people.owner)) && workflow()),
    ],
    [/^\/api\/neosyntis\/(approvals|runs\/.*\/approvals)\//, async (name) => (await approval())[name] ?? ''],
    [/^\/api\/neosyntis\/workflows\//, async () => (await tokenOf(people.owner)) && workflow()],
    [/\/myntrix\/agents\//, agent],
    [/\/neosyntis\/devices\//, deviceSettings],
    [/\/myntrix\/(devices|hardware|telemetry)\//, device],
    [/\/myntrix\/tasks\/history\//, tick],
    [/\/myntrix\/tasks\//, task],
    [/\/(neosyntis\/runs|myntrix\/jobs)\//, run],
    [/^\/api\/users\//, async () => (await world.newUser('viewer')).id],
    [/^\/api\/api-tokens\//, async () => (await apiToken()).id],
    [
      /^\/api\/hosts\/enrolments\//,
      async () => (await post('/api/hosts/enrolments', {}, await adminToken())).id,
    ],
    [/^\/api\/hosts\//, async () => (await newHost()).name],
    [
      /^\/api\/outbox\//,
      async () => (await api('GET', '/api/outbox?limit=1', { token: await adminToken() })).body[0].id,
    ],
    [/^\/docs\/assets\//, async () => 'swagger-ui.css'],
  ];
  /** The token in the newest mail, which is to somebody new. */
  async function mailedToken(): Promise<string> {
    const token = await adminToken();
    const { body: mails } = await api('GET', '/api/outbox?limit=1', { token });
    const { body: mail } = await api('GET', `/api/outbox/${mails[0].id}`, { token });
    return /(?:token=|\n)([\w-]{22,})/.exec(mail.text ?? '')?.[1] ?? 'no token';
  }
  async function newAccount(): Promise<{ username: string; email: string }> {
    const username = `r${randomUUID().replaceAll('-', '').slice(-12)}`;
    const account = { username, email: `${username}@example.org` };
    await post('/api/register', { ...account, password: PASSWORD }, await adminToken());
    return account;
  }
  const stand: Record<string, () => Promise<string>> = {
    username: async () => `r${randomUUID().replaceAll('-', '').slice(-12)}`,
    account: async () => (await world.newUser('viewer')).username,
    verification: async () => {
      await newAccount();
      return mailedToken();
    },
    reset: async () => {
      const { email } = await newAccount();
      await expectStatus(202, api('POST', '/api/password-reset', { body: { email }, ...fresh() }));
      return mailedToken();
    },
    password: async () => PASSWORD,
    enrolment: async () => (await post('/api/hosts/enrolments', {}, await adminToken())).token,
    refresh: async () =>
      (await post('/api/token', { username: people.other.username, password: PASSWORD }, '', 200))
        .refresh_token,
  };

  return {
    /** The id of a real thing for this parameter. */
    idFor(operation: string, name: string): Promise<string> {
      const path = operation.split(' ')[1] ?? '';
      const [, make] = makers.find(([pattern]) => pattern.test(path)) ?? [];
      if (!make)
        throw new Error(
          `the fuzz does not know what to put for {${name}} of ${path}: add it to test/fuzz/things.ts`,
        );
      return keep(`id ${operation} ${name}`, () => make(name));
    },

    /** The value of an Authorization header. */
    async authorization(who: Who, operation: string): Promise<string | undefined> {
      if (who === 'nobody') return undefined;
      if (who === 'nonsense') return 'Bearer \u00ff..eyJhbGciOiJub25lIn0.e30.';
      if (who === 'host')
        return `Bearer ${await keep('credential', async () => (await newHost()).credential)}`;
      if (who === 'apiToken')
        return `Bearer ${await keep('api token', async () => (await apiToken()).token)}`;
      if (ownLogin.has(operation))
        return `Bearer ${await keep(`login ${operation} ${who}`, async () => (await world.newUser(people[who].username === people.admin.username ? 'admin' : 'operator')).token)}`;
      return `Bearer ${await tokenOf(people[who])}`;
    },

    /** JSON text with what its placeholders stand for. */
    async filled(text: string): Promise<string> {
      let result = text;
      for (const [whole, name = ''] of text.matchAll(/@@(\w+)@@/g)) {
        const make = stand[name];
        if (make) result = result.replaceAll(whole, await keep(`stand ${name}`, make));
      }
      return result;
    },

    /** Forgets what an accepted request may have used up, and offers saved workflows to be triggered. */
    noteAccepted(operation: string, request: FuzzRequest, { status, body }: Answer): void {
      if (status >= 400) return;
      for (const key of ['username', 'enrolment', 'refresh', 'verification', 'reset', 'account'])
        kept.delete(`stand ${key}`);
      if (/^(DELETE|PUT)/.test(operation) || operation.endsWith('/cancel')) kept.delete(`id ${operation}`);
      if (operation.startsWith('POST') && operation.includes('/approvals/')) {
        asking = undefined;
        for (const key of [...kept.keys()].filter((key) => key.includes('/approvals/'))) kept.delete(key);
      }
      if (ownLogin.has(operation)) kept.delete(`login ${operation} ${request.who}`);
      if (
        request.who === 'owner' &&
        status === 201 &&
        operation === 'POST /api/neosyntis/workflows' &&
        body?.id
      )
        kept.set('id POST /api/neosyntis/workflows/{id}/trigger', Promise.resolve(body.id));
    },

    /** Ends what still runs. */
    async close(): Promise<void> {
      const token = await tokenOf(people.owner);
      const { body: jobs } = await api('GET', '/api/myntrix/jobs', { token });
      for (const { id, status } of jobs)
        if (/pending|running|waiting|paused/.test(status))
          await api('POST', `/api/myntrix/jobs/${id}/cancel`, { token });
    },
  };
}

export type Things = Awaited<ReturnType<typeof createThings>>;
