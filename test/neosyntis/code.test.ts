import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { until } from '../support/client.ts';
import { enterWorld, type Run, type TestUser, type World } from '../support/world.ts';

let world: World;
let user: TestUser;

beforeAll(async () => {
  world = await enterWorld();
  user = await world.newUser('operator', { runsCode: true });
});
afterAll(() => world.close());

const shell = (command: string, more: object = {}, task: object = {}) => ({
  step: { run: { shell: { command, ...more } }, ...task },
});

/** Processes of this machine whose command line holds a word. */
function running(word: string): string[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => {
      try {
        const isZombie = /^\d+ \(.*\) Z /s.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
        return !isZombie && readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(word);
      } catch {
        return false; // it ended meanwhile
      }
    });
}

const canLook = existsSync('/proc/self/stat');

/** What the host itself started around them may end a moment later; they would never end. */
async function untilNoneRuns(word: string): Promise<void> {
  if (canLook)
    await until(
      async () => running(word),
      ({ length }) => length === 0,
      60_000,
    );
}

describe('A code step', () => {
  test('runs a shell command with arguments, environment and input', async () => {
    const run = await world.run(
      user,
      [
        shell('printf "%s|%s|%s|" "$1" "$GREETING" "$(id -u)"; cat', {
          arguments: ['${ .word }'],
          environment: { GREETING: 'hello' },
          stdin: '${ .text }',
        }),
      ],
      { word: '$(whoami); "x"', text: 'from stdin' },
    );
    const [word, greeting, uid, text] = String(run.output).split('|');
    expect([word, greeting, text]).toEqual(['$(whoami); "x"', 'hello', 'from stdin']);
    expect(uid).not.toBe('0');
    expect(run.steps[0]).toMatchObject({ kind: 'run', status: 'completed', host: 'local' });
  });

  test.each([
    ['js', 'console.log(JSON.stringify(process.argv.slice(2)))'],
    ['python', 'import json, sys; print(json.dumps(sys.argv[1:]))'],
  ])('runs a script in %s', async (language, code) => {
    const run = await world.run(
      user,
      [
        {
          script: {
            run: { script: { language, code, arguments: ['a', '${ .n }'] } },
            output: { as: 'fromjson' },
          },
        },
      ],
      { n: 5 },
    );
    expect(run).toMatchObject({ status: 'completed', output: ['a', '5'] });
  });

  test('puts out what `return` asks for', async () => {
    const all = await world.run(user, [
      { s: { run: { shell: { command: 'echo out; echo err >&2; exit 3' }, return: 'all' } } },
    ]);
    expect(all.output).toEqual({ code: 3, stdout: 'out\n', stderr: 'err\n' });
    const code = await world.run(user, [{ s: { run: { shell: { command: 'exit 4' }, return: 'code' } } }]);
    expect(code.output).toBe(4);
  });

  test('that exits with an error fails with the end of its output', async () => {
    const run = await world.run(user, [shell('echo before; echo "the reason" >&2; exit 7')]);
    expect(run).toMatchObject({
      status: 'failed',
      error: {
        type: expect.stringMatching(/runtime$/),
        detail: expect.stringContaining('the reason'),
        instance: '/do/0/step',
      },
    });
  });

  test('of a command that does not exist says so', async () => {
    const run = await world.run(user, [shell('no-such-command-here')]);
    expect(run.error).toMatchObject({
      type: expect.stringMatching(/runtime$/),
      detail: expect.stringContaining('no-such-command-here'),
    });
  });

  test.concurrent('that prints 100 MB is ended, naming the limit', async () => {
    const run = await world.run(user, [shell('exec head -c 100000000 /dev/zero | tr "\\0" x')]);
    expect(run.error.detail).toMatch(/10485760|10 MiB/);
    const { body } = await world.api('GET', `/api/myntrix/jobs/${run.id}`, { token: user.token });
    expect(body.status).toBe('failed');
    const jobsBy = async (query: string) => {
      const { body } = await world.api('GET', `/api/myntrix/jobs?${query}`, { token: user.token });
      return body.map(({ id }: { id: string }) => id);
    };
    expect(await jobsBy('type=workflow_run&status=failed&host=local&limit=200')).toContain(run.id);
    expect(await jobsBy('host=elsewhere')).toEqual([]);
    expect(await jobsBy('type=task_run')).toEqual([]);
  });

  // Beside the others: it takes all of its time limit, in which a busy machine must have come to its first words.
  test.concurrent('that never ends and ignores SIGTERM is ended at its time limit, with all it started', async () => {
    const word = `4${Date.now()}.25`;
    const run = await world.run(user, [
      shell(
        `trap "" TERM; setsid sleep ${word} & (trap "" TERM; sleep ${word}) & echo started; while :; do sleep ${word}; done`,
        {},
        { timeout: { after: { seconds: 10 } } },
      ),
    ]);
    expect(run.error).toMatchObject({
      type: expect.stringMatching(/timeout$/),
      detail: expect.stringContaining('started'),
    });
    await untilNoneRuns(word);
  });

  test.concurrent('leaves nothing running when it is cancelled', async () => {
    const word = `5${Date.now()}.25`;
    const { token } = user;
    const id = await world.newWorkflow(user, [shell(`setsid sleep ${word} & sleep ${word}`)]);
    const { body } = await world.api('POST', `/api/neosyntis/workflows/${id}/trigger`, { token });
    if (canLook)
      await until(
        async () => running(word).length,
        (count) => count >= 2,
        60_000,
      );
    await world.api('POST', `/api/myntrix/jobs/${body.job_id}/cancel`, { token });
    const run = await world.untilRun(user, body.run_id, ({ status }) => status === 'cancelled');
    expect(run.steps[0].status).toBe('cancelled');
    await untilNoneRuns(word);
  });

  test.concurrent('logs what it prints, readable by offset while it runs and after', async () => {
    const run = await world.run(user, [shell('echo one; echo två; echo three >&2')]);
    const { token } = user;
    const read = (offset: number) =>
      world.api('GET', `/api/myntrix/jobs/${run.id}/logs?offset=${offset}`, { token });
    // What the run's end did not wait for is asked of the host again.
    await until(
      () => read(Buffer.byteLength('one\ntvå\nthree\n')),
      ({ body }) => body.complete,
      60_000,
    );
    const { body: first } = await read(0);
    const { steps } = await world.untilRun(user, run.id, () => true);
    expect(steps[0].logs).toContain('två');
    expect(first.text.split('\n').sort()).toEqual(['', 'one', 'three', 'två']);
    expect(first.nextOffset).toBe(Buffer.byteLength(first.text));
    expect((await read(first.nextOffset)).body).toMatchObject({ text: '', complete: true });
    expect((await world.api('GET', `/api/myntrix/jobs/${run.id}`, { token })).body.logs).toBe(first.text);
  });

  test.concurrent('that `then` comes back to runs again, and is told apart', async () => {
    const ended = await world.run(
      user,
      [
        { count: { set: { n: '${ .n + 1 }' } } },
        {
          speak: {
            run: { shell: { command: 'echo "round $1"', arguments: ['${ .n }'] } },
            output: { as: '{ n: $input.n }' },
          },
        },
        { again: { switch: [{ more: { when: '.n < 3', then: 'count' } }] } },
      ],
      { n: 0 },
    );
    expect(ended).toMatchObject({ status: 'completed', output: { n: 3 } });
    const speak = ({ steps }: Run): Run[] => steps.filter(({ name }: Run) => name === 'speak');
    // What the run's end did not wait for is asked of the host again.
    const spoken = speak(
      await world.untilRun(user, ended.id, (run) => speak(run).every(({ logs }) => logs !== '')),
    );
    expect(spoken.map(({ iteration, logs }) => [iteration, logs])).toEqual([
      [[], 'round 1\n'],
      [[1], 'round 2\n'],
      [[2], 'round 3\n'],
    ]);
  });

  test.concurrent('of much output has all of it in its log when it ends', async () => {
    const run = await world.run(user, [
      { s: { run: { shell: { command: 'seq 1 400000' }, return: 'code' } } },
    ]);
    expect(run.output).toBe(0);
    const next = (offset: number) =>
      world.api('GET', `/api/myntrix/jobs/${run.id}/logs?offset=${offset}`, { token: user.token });
    let offset = 0;
    for (let complete = false; !complete; ) {
      // What the run's end did not wait for is asked of the host again.
      const { body } = await until(
        () => next(offset),
        ({ body: part }) => part.complete || part.text !== '',
        60_000,
      );
      ({ nextOffset: offset, complete } = body);
    }
    expect(offset).toBe(2_688_895);
  });

  test('does not see the platform’s environment', async () => {
    const run = await world.run(user, [shell('env')]);
    expect(run.output).not.toMatch(/DATABASE_URL|BUS_PASSWORD|VAREON_ADMIN|PASSWORD|TEMPORAL/);
  });
});
