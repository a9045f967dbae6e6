import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import {
  containments,
  createRig,
  eventually,
  PATH,
  type Ran,
  type Rig,
  running,
  uniqueNap,
  user,
} from './rig.ts';

/** One contract for every way that this machine has of holding processes together. */
describe.each(containments.map((containment) => [containment.name, containment] as const))(
  'In a %s',
  (name, containment) => {
    let rig: Rig;
    /** Runs while others do: enough to have begun on a machine that has much else to do. */
    const limitedNap = uniqueNap();
    let limited: Promise<Ran>;
    beforeAll(async () => {
      rig = await createRig(containment);
      limited = rig.shell(`echo started; sleep ${limitedNap}`, { timeoutMs: 15_000 });
    });
    afterAll(() => rig.close());

    test('exit codes come back, those above 128 too', async () => {
      expect((await rig.shell('exit 0')).end).toEqual({ kind: 'exited', code: 0 });
      expect((await rig.shell('exit 3')).end).toEqual({ kind: 'exited', code: 3 });
      expect((await rig.shell('exit 137')).end).toEqual({ kind: 'exited', code: 137 });
    });

    test('a signal that ends the command comes back as that signal', async () => {
      expect((await rig.shell('kill -9 $$')).end).toEqual({ kind: 'signalled', signal: 'SIGKILL' });
      expect((await rig.shell('kill -USR1 $$')).end).toEqual({ kind: 'signalled', signal: 'SIGUSR1' });
    });

    test('arguments arrive as they are, whatever is in them', async () => {
      const odd = ['', 'a b', '$(id)', '"; exit 9; "', '-n', '*', 'naïve\nline'];
      const ran = await rig.run([
        '/bin/sh',
        '-c',
        'for a in "$@"; do printf "%s\\0" "$a"; done | tr "\\0" "|"',
        'sh',
        ...odd,
      ]);
      expect(ran.out).toBe(`${odd.join('|')}|`);
    });

    test('standard input is what was given, and empty otherwise', async () => {
      expect((await rig.run(['cat'], { stdin: 'héllo\n' })).out).toBe('héllo\n');
      expect((await rig.run(['cat'])).out).toBe('');
    });

    test('the standard streams can be opened again by name', async () => {
      const ran = await rig.shell(
        'cat /dev/stdin; echo out > /dev/stdout; echo err | tee /dev/stderr > /dev/null',
        {
          stdin: 'in ',
        },
      );
      expect([ran.out, ran.err]).toEqual(['in out\n', 'err\n']);
    });

    test('the environment holds what is allowed and nothing of the host’s', async () => {
      process.env.CANARY_OF_THE_HOST = 'seen';
      const ran = await rig.run(['env'], {
        env: { GREETING: 'it\'s "two"\nlines', TZ: 'Europe/Berlin' },
        platformEnv: { VAREON_RUN_ID: 'r1' },
      });
      const names = ran.out.split('\n').flatMap((line) => /^(\w+)=/.exec(line)?.[1] ?? []);
      const expected = ['GREETING', 'HOME', 'LANG', 'PATH', 'TMPDIR', 'TZ', 'VAREON_RUN_ID', 'VAREON_STEP'];
      expect(names.filter((found) => found !== 'PWD').sort()).toEqual(expected);
      expect(ran.out).toContain('GREETING=it\'s "two"\nlines\n');
      expect(ran.out).not.toContain('seen');
      delete process.env.CANARY_OF_THE_HOST;
    });

    test('nothing runs as root, and nothing can become it', async () => {
      const ran = await rig.shell(
        'id -u; id -G; grep -E "NoNewPrivs|CapEff" /proc/self/status | tr -d "\\t"',
      );
      const [uid, groups, ...rest] = ran.out.trim().split('\n');
      expect(uid).toBe(`${user?.uid ?? process.getuid?.()}`);
      expect(groups?.split(' ')).not.toContain('0');
      expect(rest.sort()).toEqual(['CapEff:0000000000000000', 'NoNewPrivs:1']);
    });

    test('a step works in a folder of its own, which is gone afterwards', async () => {
      const ran = await rig.shell(
        'pwd; echo "$HOME"; echo x > file; mkdir -p a/.b; echo y > a/.b/c; chmod 0 a; stat -c %a .',
      );
      const [pwd = '', home, mode] = ran.out.trim().split('\n');
      expect([home, mode]).toEqual([pwd, '700']);
      expect(existsSync(pwd)).toBe(false);
    });

    test('a command may read the machine’s memory and disks', async () => {
      const ran = await rig.shell('grep MemTotal /proc/meminfo && df -P / | tail -1 && ls /proc/$$/stat');
      expect(ran.end).toEqual({ kind: 'exited', code: 0 });
      expect(ran.out).toMatch(/^MemTotal: +\d+ kB\n.* \/\n\/proc\/\d+\/stat\n$/);
    });

    test('a program that does not exist is not started, and is named', async () => {
      const { end } = await rig.run(['no-such-program']);
      expect(end).toMatchObject({ kind: 'not_started', cause: 'missing_program' });
      expect(JSON.stringify(end)).toContain('no-such-program');
      const inShell = await rig.shell('no-such-program');
      expect(inShell.end).toEqual({ kind: 'exited', code: 127 });
      expect(inShell.err).toMatch(/no-such-program.*not found/);
    });

    test('an argument that the kernel refuses is said so', async () => {
      const { end } = await rig.shell(`: ${'x'.repeat(200_000)}`);
      expect(end).toMatchObject({
        kind: 'not_started',
        cause: 'failed',
        reason: expect.stringContaining('E2BIG'),
      });
    });

    test('100 MB of output are cut at the limit', async () => {
      const ran = await rig.shell('head -c 100000000 /dev/zero | tr "\\0" x; echo done >&2');
      expect(ran.end).toEqual({ kind: 'output_limit', limitBytes: 1_000_000 });
      expect(ran.out).toHaveLength(1_000_000);
      expect(Math.max(...ran.pieces.map((piece) => piece.bytes))).toBeLessThanOrEqual(32 * 1024);
    });

    test('SIGTERM comes first, and what is printed then is kept', async () => {
      const abort = new AbortController();
      const ran = await rig.shell(
        'trap "echo cleaned; exit" TERM; echo ready; while :; do sleep 0.02; done',
        {
          signal: abort.signal,
          onOutput: () => abort.abort(),
          killGraceMs: 60_000,
        },
      );
      expect([ran.end, ran.out]).toEqual([{ kind: 'cancelled' }, 'ready\ncleaned\n']);
    });

    test('a command that ignores SIGTERM, or stopped itself, is killed after the grace', async () => {
      const started = performance.now();
      const nap = uniqueNap();
      const [ran] = await Promise.all([
        rig.shell(`trap "" TERM; while :; do sleep ${nap}; done`, { timeoutMs: 200 }),
        rig.shell('trap "" TERM; while :; do kill -STOP $$; done', { timeoutMs: 200 }),
      ]);
      expect(ran.end).toEqual({ kind: 'timed_out' });
      expect(performance.now() - started).toBeLessThan(60_000);
      expect(running(nap)).toEqual([]);
    });

    const ESCAPES = [
      ['in the background', (nap: string) => `sleep ${nap} &`],
      ['in its own session', (nap: string) => `setsid sleep ${nap} &`],
      [
        'forked twice with an empty environment',
        (nap: string) => `(setsid env -i sleep ${nap} >/dev/null 2>&1 </dev/null &)`,
      ],
      [
        'deaf to SIGTERM',
        (nap: string) => `(trap "" TERM; cd /; setsid env -i /bin/sh -c "sleep ${nap}; sleep ${nap}" &)`,
      ],
    ] as const;
    test.each(ESCAPES)('a grandchild %s does not outlive its command', async (_, leave) => {
      const nap = uniqueNap();
      const ran = await rig.shell(
        `${leave(nap)}
sleep 0.1; ps -A -o args= | grep -c "[s]leep ${nap}"; exit 4`,
      );
      expect(ran.end).toEqual({ kind: 'exited', code: 4 });
      expect(running(nap)).toEqual([]);
    });

    // Without a namespace orphans are the machine's own init's to reap.
    if (name !== 'process group')
      test('orphans leave no zombies while the command runs', async () => {
        const ran = await rig.shell(
          // Some are seen before they are reaped; none is there for seconds.
          `(setsid sleep 0.01 &); (sleep 0.01 &); sleep 0.3; n=0
while ps -A -o stat=,args= | grep "^Z.*sleep" > seen; do n=$((n + 1)); [ $n -gt 100 ] && break; sleep 0.05; done; cat seen`,
        );
        expect(ran.out).toBe('');
      });

    test('an abort in the middle ends the whole tree', async () => {
      const nap = uniqueNap();
      const abort = new AbortController();
      const ran = rig.shell(`(setsid env -i sleep ${nap} &); sleep ${nap}`, { signal: abort.signal });
      await eventually(() => running(nap).length >= 2);
      abort.abort();
      expect((await ran).end).toEqual({ kind: 'cancelled' });
      expect(running(nap)).toEqual([]);
      expect((await rig.shell('echo no', { signal: abort.signal })).end).toEqual({ kind: 'cancelled' });
    });

    test('a command that never ends is killed at the time limit', async () => {
      const ran = await limited;
      expect([ran.end, ran.out]).toEqual([{ kind: 'timed_out' }, 'started\n']);
      expect(running(limitedNap)).toEqual([]);
    });

    test('twenty at once do not mix their output, and leave no descriptor behind', async () => {
      const before = readdirSync('/proc/self/fd').length;
      const ran = await Promise.all(
        Array.from({ length: 20 }, (_, index) => rig.shell(`echo ${index}; exit ${index}`)),
      );
      expect(ran.map(({ out }) => Number(out))).toEqual(ran.map((_, index) => index));
      expect(ran.map(({ end }) => end)).toEqual(ran.map((_, code) => ({ kind: 'exited', code })));
      await eventually(() => readdirSync('/proc/self/fd').length <= before);
    });

    test('kill -9 of the host ends its processes, at once or in its next life', async () => {
      const nap = uniqueNap();
      const command = `(setsid env -i sleep ${nap} &); echo up; sleep ${nap}`;
      const host = spawn(
        process.execPath,
        [join(import.meta.dirname, 'life.ts'), rig.dataDir, name, command],
        {
          env: { PATH },
          stdio: ['ignore', 'pipe', 'inherit'],
        },
      );
      await once(host.stdout, 'data');
      await eventually(() => running(nap).length >= 2);
      host.kill('SIGKILL');
      if (name !== 'process group') await eventually(() => running(nap).length === 0);
      const swept = await rig.processes.sweep();
      // A namespace's keeper may still be dying when its last process is gone; the next life then counts it.
      if (name === 'process group') expect(swept).toBe(1);
      await eventually(() => running(nap).length === 0, 0);
      expect(await rig.processes.sweep()).toBe(0);
    });

    test('the output is kept where only the host reads it', async () => {
      const { id } = await rig.shell('echo kept');
      const folder = join(rig.dataDir, 'spool', id);
      expect([folder, join(folder, 'stdout')].map((path) => statSync(path).mode & 0o777)).toEqual([
        0o700, 0o600,
      ]);
    });
  },
);
