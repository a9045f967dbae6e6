// biome-ignore-all lint/suspicious/noTemplateCurlyInString: runtime expressions are strings.
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { until } from '../support/client.ts';
import { createHosts } from '../support/host.ts';
import { enterWorld, expectStatus, type Run, type TestUser, type World } from '../support/world.ts';

let world: World;
let user: TestUser;
let hosts: ReturnType<typeof createHosts>;
let engine: string;
let volumes: string;
const name = `docks-${Date.now().toString(36)}`;

/** A host of its own, whose docker is a script that writes down what it is told. */
beforeAll(async () => {
  world = await enterWorld('sql');
  user = await world.newUser('operator', { runsCode: true });
  hosts = createHosts({ url: world.url, api: world.api, token: world.admin.token });
  engine = hosts.newFolder();
  volumes = hosts.newFolder();
  const here = dirname(fileURLToPath(import.meta.url));
  copyFileSync(join(here, 'fake-docker.mjs'), join(engine, 'fake.mjs'));
  // Its version is asked for in a short time, in which a busy machine may not come to starting Node.
  writeFileSync(
    join(engine, 'docker'),
    `#!/bin/sh\n[ "$1" = version ] && echo 28.2.2 && exit\nexec '${process.execPath}' '${engine}/fake.mjs' "$@"\n`,
  );
  chmodSync(join(engine, 'docker'), 0o755);
  const env = { PATH: `${engine}:${process.env.PATH}`, VAREON_CONTAINER_VOLUMES: volumes };
  await hosts.join(name, { env });
});
afterAll(async () => {
  await hosts.close();
  await world.api('DELETE', `/api/hosts/${name}`, { token: world.admin.token });
  await world.close();
});

const container = (given: object, run: object = {}, task: object = {}) => ({
  run: { container: { image: 'busybox', ...given }, ...run },
  metadata: { host: name },
  ...task,
});

interface Call {
  args: string[];
  environment: string[];
  uid: number;
}
const linesOf = (file: string): Run[] =>
  existsSync(join(engine, file))
    ? readFileSync(join(engine, file), 'utf8')
        .split('\n')
        .filter(Boolean)
        .map((line) => JSON.parse(line))
    : [];
const calls = (command: string) => (linesOf('calls') as Call[]).filter(({ args }) => args[0] === command);
/** All containers that ever ran. */
const begun = (): Run[] => linesOf('begun');
/** The containers that there are, running or not, and whether they have ended. */
const kept = (): { id: string; status: string }[] => {
  const names = readdirSync(engine);
  return names
    .filter((name) => name.endsWith('.container'))
    .map((name) => name.slice(0, -'.container'.length))
    .map((id) => ({ id, status: names.includes(`${id}.exited`) ? 'exited' : 'running' }));
};
const isAlive = (pid: number) =>
  existsSync(`/proc/${pid}/stat`) && !/\) Z /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));

describe('A container', () => {
  test('gets what its task says, by an argument each; its variables are on no command line', async () => {
    expect(await hosts.look(name)).toMatchObject({
      capabilities: { container: 'docker', docker: '28.2.2' },
    });
    const steps = [
      {
        'say hello': container(
          {
            command: 'printf "%s|%s|%s|" "$1" "$GREETING" "$VAREON_RUN_ID"; cat; echo err >&2; exit 3',
            arguments: ['${ .word }'],
            environment: { GREETING: '${ .secret }', PATH: '/usr/bin:/bin' },
            stdin: '${ .text }',
            ports: { '80': '${ .port }' },
            volumes: { data: '/data', [join(volumes, 'more')]: '/more:ro' },
            pullPolicy: 'never',
          },
          { return: 'all' },
        ),
      },
    ];
    const run = await world.run(user, steps, {
      word: '$(whoami); "x"',
      secret: 'not to be seen',
      text: 'stdin',
      port: 18_080,
    });
    expect(run.error).toBeNull();
    expect(run.output).toEqual({
      code: 3,
      stdout: `$(whoami); "x"|not to be seen|${run.id}|stdin`,
      stderr: 'err\n',
    });
    expect(run.steps[0]).toMatchObject({ status: 'completed', host: name });
    const { args = [], environment = [] } = calls('run').at(-1) ?? {};
    const options = args.slice(1, args.indexOf('busybox'));
    expect(options).toEqual(
      expect.arrayContaining([
        '--pull=never',
        '--log-driver=none',
        '--security-opt=no-new-privileges',
        '--cap-drop=ALL',
        '--interactive',
        '--entrypoint=/bin/sh',
        '--publish=127.0.0.1:18080:80',
        `--mount=type=bind,source=${volumes}/data,target=/data`,
        `--mount=type=bind,source=${volumes}/more,target=/more,readonly`,
        expect.stringMatching(new RegExp(`^--name=test-${run.id}-[0-9a-f]{16}\\.[\\w-]+-say-hello$`)),
      ]),
    );
    expect(args.slice(args.indexOf('busybox') + 1)).toEqual([
      '-c',
      expect.stringContaining('printf'),
      'sh',
      '$(whoami); "x"',
    ]);
    expect(JSON.stringify(args)).not.toContain('not to be seen');
    expect(environment).not.toContain('GREETING');
    // With the rights of root, what it leaves in a folder would have them on the host.
    if (process.getuid?.() === 0) {
      expect(options).toContainEqual(expect.stringMatching(/^--user=[1-9]\d*:\d+$/));
      expect(statSync(join(volumes, 'data')).uid).toBeGreaterThan(0);
    }
    const envFile = options.find((option) => option.startsWith('--env-file='))?.slice(11) ?? '';
    expect(existsSync(envFile)).toBe(false);
    expect(kept()).toEqual([]);
  });

  test('stays, or goes later, as its lifetime says', async () => {
    const lives = async (lifetime: object) => {
      const run = await world.run(user, [
        { done: container({ arguments: ['done'], lifetime, name: '${ "my-" + $task.name }' }) },
      ]);
      expect(run.output).toBe('done\n');
      expect(calls('run').at(-1)?.args).toContain('--name=my-done');
    };
    await lives({ cleanup: 'never' });
    expect(kept()).toMatchObject([{ status: 'exited' }]);
    await lives({ cleanup: 'eventually', after: { milliseconds: 10 } });
    await until(
      async () => kept(),
      (all) => all.length === 1,
      60_000,
    );
  });

  test('that is cancelled or takes too long is killed and removed, whatever its lifetime', async () => {
    const before = kept().length;
    const asleep = (which: string) =>
      container({
        command: 'echo begun; sleep 3000',
        environment: { WHICH: which },
        lifetime: { cleanup: 'never' },
      });
    const id = await world.newWorkflow(user, [
      {
        both: {
          fork: {
            branches: [
              { late: { try: [{ slow: { ...asleep('slow'), timeout: { after: 'PT5S' } } }], catch: {} } },
              { ended: asleep('ended') },
            ],
          },
        },
      },
    ]);
    const { run_id } = await expectStatus(
      202,
      world.api('POST', `/api/neosyntis/workflows/${id}/trigger`, { token: user.token, body: {} }),
    );
    // The one that is too slow may not have come to its beginning on a busy machine.
    const asleepNow = () => begun().filter(({ env }) => env.WHICH !== undefined);
    const step = (run: Run, last: string) => run.steps?.find(({ path }: Run) => path.endsWith(last));
    const run = await world.untilRun(user, run_id, (seen) => step(seen, 'slow')?.status === 'failed');
    expect(step(run, 'slow').error).toMatchObject({ status: 408 });
    await until(
      async () => asleepNow(),
      (all) => all.some(({ env }) => env.WHICH === 'ended'),
      60_000,
    );
    await world.api('POST', `/api/neosyntis/runs/${run_id}/cancel`, { token: user.token });
    const ended = await world.untilRun(user, run_id, ({ status }) => status === 'cancelled');
    expect(step(ended, 'ended')).toMatchObject({ status: 'cancelled' });
    await until(
      async () => asleepNow().filter(({ pid }) => isAlive(pid)),
      (alive) => alive.length === 0,
      60_000,
    );
    await until(
      async () => kept(),
      ({ length }) => length === before,
      60_000,
    );
  });

  test('that cannot be had is a configuration error that says why', async () => {
    const fails = async (given: object, detail: RegExp, metadata: object = { host: name }) => {
      const { error } = await world.run(user, [{ no: container(given, {}, { metadata }) }]);
      expect(error).toMatchObject({
        type: expect.stringMatching(/configuration$/),
        detail: expect.stringMatching(detail),
      });
    };
    mkdirSync(join(volumes, 'deep', 'in'), { recursive: true });
    const bare = `bare-${Date.now().toString(36)}`;
    const token = await hosts.newToken();
    await expectStatus(201, world.api('POST', '/api/host/enrol', { body: { token, name: bare } }));
    await world.sql(`update hosts set capabilities = '{"code": true}' where name = ?`, [bare]);
    try {
      await Promise.all([
        fails({ image: 'missing' }, /could not start the container[\s\S]*No such image/),
        fails({ volumes: { 'deep/in': '/x' } }, /directly in the one that is lent/),
        fails({ volumes: { '/etc': '/x' } }, /directly in the one that is lent/),
        fails({ environment: { A: 'two\nlines' } }, /line end/),
        fails({ environment: { LD_PRELOAD: '/x' } }, /LD_PRELOAD/),
        fails({}, /neither docker nor podman/, { host: bare }),
      ]);
    } finally {
      await world.api('DELETE', `/api/hosts/${bare}`, { token: world.admin.token });
    }
  });
});
