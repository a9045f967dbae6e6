import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { asyncLocalStorage, CancelledFailure, Context, type Info } from '@temporalio/activity';
import { noopMetricMeter } from '@temporalio/common';
import { type CodeDeps, createCodeActivities } from '../../activities/host/neosyntis/code.ts';
import {
  type CodeStep,
  type LogChunk,
  type ScriptStep,
  type ShellStep,
  stepId,
} from '../../domain/neosyntis/code.ts';
import { containments, createRig, eventually, type Rig, running, uniqueNap } from './rig.ts';

let rig: Rig;
let activities: ReturnType<typeof createCodeActivities>;
let deps: CodeDeps;
const chunks: LogChunk[] = [];
let warnings = 0;

beforeAll(async () => {
  const [containment] = containments;
  if (!containment) throw new Error('no containment');
  rig = await createRig(containment);
  deps = {
    processes: rig.processes,
    hostName: 'test',
    publishLog: (chunk) => {
      if (chunk.text.includes('unsendable')) throw new Error('the bus is gone');
      chunks.push(chunk);
    },
    open: async (step) => ({ step, release: () => {} }),
    log: { warn: () => (warnings += 1) },
  };
  activities = createCodeActivities(deps);
});
afterAll(() => rig.close());

const silent = { log() {}, trace() {}, debug() {}, info() {}, warn() {}, error() {} };

/** Runs as a worker would, with the parts of an activity's context that are used. */
async function inContext<T>(
  run: () => Promise<T>,
  { attempt = 1, abort = new AbortController(), beats = [] as unknown[] } = {},
) {
  const info = { attempt, currentAttemptScheduledTimestampMs: Date.now() } as Info; // nothing else of it is read
  const cancelled = new Promise<never>(() => {});
  const beat = (details?: unknown) => void beats.push(details);
  const context = new Context(info, cancelled, abort.signal, beat, undefined, silent, noopMetricMeter, {});
  return { result: await asyncLocalStorage.run(context, run) };
}

let count = 0;
const base = (): Omit<ShellStep, 'kind' | 'command'> => {
  const at = { runId: '0192-run', path: `/do/${++count}/step`, iteration: [0, count], attempt: 1 };
  const step = stepId(at.runId, at.path, at.iteration, at.attempt);
  return { ...at, step, arguments: [], environment: {}, return: 'stdout', timeoutMs: 60_000 };
};
const shell = (command: string, more: Partial<ShellStep> = {}): CodeStep => ({
  ...base(),
  kind: 'shell',
  command,
  ...more,
});
const script = (
  language: ScriptStep['language'],
  code: string,
  more: Partial<ScriptStep> = {},
): CodeStep => ({
  ...base(),
  kind: 'script',
  language,
  code,
  ...more,
});
const run = async (step: CodeStep) => (await inContext(() => activities.runCode(step))).result;
/** Runs while the tests do: enough to have begun on a machine that has much else to do. */
let limited: ReturnType<typeof run>;
beforeAll(() => {
  limited = run(shell('echo so far; sleep 600', { timeoutMs: 15_000 }));
});
const type = (kind: string) => `https://open-workflow-specification.org/dsl/errors/types/${kind}`;

describe('A code step', () => {
  test('gives a shell its arguments as $1, $2', async () => {
    expect(await run(shell('echo "$1+$2+$#"', { arguments: ['a b', '$(id)'] }))).toEqual({
      outcome: 'ok',
      output: 'a b+$(id)+2\n',
      exitCode: 0,
      stdoutBytes: 12,
      stderrBytes: 0,
      host: 'test',
      queueMs: expect.any(Number),
    });
  });

  test.each([
    ['js', 'console.log(require("node:os").EOL.length, process.argv.slice(2).join())'],
    [
      'javascript',
      'import os from "node:os"; console.log(await os.EOL.length, process.argv.slice(2).join())',
    ],
    ['python', 'import sys, os\nprint(len(os.linesep), ",".join(sys.argv[1:]))'],
  ] as const)('runs a script in %s with its arguments', async (language, code) => {
    expect(await run(script(language, code, { arguments: ['x', 'é'] }))).toMatchObject({ output: '1 x,é\n' });
  });

  test('puts out what `return` names', async () => {
    const output = async (wanted: CodeStep['return']) =>
      run(shell('printf out; printf err >&2; exit 3', { return: wanted })).then((result) =>
        result.outcome === 'ok' ? result.output : result.problem.type,
      );
    expect(await output('stderr')).toBe('err');
    expect(await output('code')).toBe(3);
    expect(await output('all')).toEqual({ code: 3, stdout: 'out', stderr: 'err' });
    expect(await output('none')).toBeNull();
    expect(await output('stdout')).toBe(type('runtime'));
    expect(await run(shell('kill -9 $$', { return: 'code' }))).toMatchObject({ output: 137, exitCode: 137 });
  });

  test.each([
    ['an exit code', shell('echo why >&2; exit 3'), 'runtime', 500, /exit code 3\.\n\nstderr:\nwhy$/, 3],
    ['an unknown command', shell('no-such-command'), 'runtime', 500, /127.*not found/s, 127],
    ['a signal', shell('kill -11 $$'), 'runtime', 500, /SIGSEGV/, 139],
    ['the output limit', shell('yes'), 'runtime', 500, /10485760.*y\ny$/s, undefined],
    ['a long output', shell('head -c 9000000 /dev/zero | tr "\\0" x'), 'runtime', 500, /9000000.*8 MiB/s, 0],
    [
      'JSON longer than it looks',
      shell('head -c 5000000 /dev/zero | tr "\\0" "\\""'),
      'runtime',
      500,
      /8 MiB/,
      0,
    ],
    [
      'a refused variable',
      shell('true', { environment: { LD_PRELOAD: 'x' } }),
      'configuration',
      400,
      /LD_PRELOAD/,
      undefined,
    ],
    [
      'no interpreter',
      script('python', '', { environment: { PATH: '/nowhere' } }),
      'configuration',
      400,
      /python3/,
      undefined,
    ],
  ])('ends in the right problem for %s', async (_, step, kind, status, detail, exitCode) => {
    const result = await run(step);
    expect(result).toMatchObject({
      outcome: 'problem',
      problem: { type: type(kind), status, detail: expect.stringMatching(detail) },
      host: 'test',
    });
    expect(result.exitCode).toBe(exitCode);
    expect(JSON.stringify(result).length).toBeLessThan(12_000);
  });

  test('sends its output as it comes, and gives it again from any byte', async () => {
    const gate = rig.newGate();
    const step = shell(`printf "é1"; printf 2 >&2; ${gate.wait}; printf "\\0003"`);
    const sentOf = () => chunks.filter(({ path, stream }) => path === step.path && stream === 'stdout');
    const ran = run(step);
    await eventually(() => sentOf().length > 0);
    gate.open();
    await ran;
    const sent = sentOf();
    const { runId, path, iteration } = step;
    expect(sent.map(({ offset, length, text }) => [offset, length, text])).toEqual([
      [0, 3, 'é1'],
      [3, 4, '\ufffd3'],
    ]);
    expect(sent[0]).toMatchObject({ run_id: runId, path, iteration, stream: 'stdout' });
    const again = await activities.readLog({ runId, path, iteration, stream: 'stdout', from: 2 });
    expect(again.map(({ offset, text }) => [offset, text])).toEqual([[2, '1\ufffd3']]);
    expect(await activities.readLog({ runId, path, iteration, stream: 'stdout', from: 7 })).toEqual([]);
  });

  test('goes on when its output cannot be sent', async () => {
    expect(await run(shell('echo unsendable'))).toMatchObject({ outcome: 'ok', output: 'unsendable\n' });
    expect(warnings).toBeGreaterThan(0);
  });

  test('tells its pid with each heartbeat', async () => {
    const gate = rig.newGate();
    const beats: unknown[] = [];
    const ran = inContext(() => activities.runCode(shell(gate.wait)), { beats });
    const told = () => beats.filter((beat) => (beat as { pid?: number }).pid !== undefined); // what holds.ts beats with
    await eventually(() => told().length >= 2);
    gate.open();
    await ran;
    expect(told()[1]).toEqual({ pid: expect.any(Number) });
    expect(told()[1]).toEqual(told()[0]);
  });

  test.each([
    ['CANCELLED', 'CancelledFailure', undefined],
    ['WORKER_SHUTDOWN', 'ApplicationFailure', 'HostShutdown'],
  ])('ends all its processes at %s and then says so', async (reason, name, failureType) => {
    const nap = uniqueNap();
    const abort = new AbortController();
    const ended = inContext(() => activities.runCode(shell(`setsid sleep ${nap} & sleep ${nap}`)), { abort });
    const failure = ended.catch((error: unknown) => error);
    await eventually(() => running(nap).length >= 2);
    abort.abort(new CancelledFailure(reason));
    expect(await failure).toMatchObject({
      name,
      ...(failureType ? { type: failureType, nonRetryable: true } : {}),
    });
    expect(running(nap)).toEqual([]);
  });

  test('is not run a second time', async () => {
    const step = shell('echo once');
    const ranBefore = { type: 'RanBefore', nonRetryable: true };
    await expect(inContext(() => activities.runCode(step), { attempt: 2 })).rejects.toMatchObject(ranBefore);
    expect(await run(step)).toMatchObject({ outcome: 'ok' });
    await expect(run(step)).rejects.toMatchObject(ranBefore);
  });

  describe('that Temporal lost sight of', () => {
    const settle = (step: CodeStep, more: { wasSeen?: boolean; scheduledAtMs?: number } = {}) =>
      inContext(() =>
        activities.settleCode({ step, wasSeen: true, scheduledAtMs: Date.now(), ...more }),
      ).then(({ result }) => result);
    const ranBefore = { type: 'RanBefore', nonRetryable: true };
    const forget = (abort: AbortController) => abort.abort(new CancelledFailure('NOT_FOUND'));

    test('goes on, and who asks for it is told how it ends, then and later', async () => {
      const step = shell('sleep 0.5; echo done');
      const abort = new AbortController();
      const first = inContext(() => activities.runCode(step), { abort });
      forget(abort);
      expect(await settle(step)).toMatchObject({ outcome: 'ok', output: 'done\n' });
      await first;
      expect(await settle(step)).toMatchObject({ outcome: 'ok', output: 'done\n' });
      const again = createCodeActivities({ ...deps, processes: await rig.restarted() });
      const { result } = await inContext(() =>
        again.settleCode({ step, wasSeen: true, scheduledAtMs: Date.now() }),
      );
      expect(result).toMatchObject({ outcome: 'ok', output: 'done\n' });
    });

    test('is ended with all its processes when nobody asks for it', async () => {
      const nap = uniqueNap();
      const impatient = createCodeActivities({ ...deps, orphanAfterMs: 300 });
      const abort = new AbortController();
      const ended = inContext(() => impatient.runCode(shell(`sleep ${nap} & sleep ${nap}`)), { abort });
      const failure = ended.catch((error: unknown) => error);
      await eventually(() => running(nap).length >= 2);
      forget(abort);
      expect(await failure).toMatchObject({ name: 'CancelledFailure' });
      expect(running(nap)).toEqual([]);
    });

    test('is cancelled by who stays with it', async () => {
      const nap = uniqueNap();
      const step = shell(`sleep ${nap}`);
      const abort = new AbortController();
      const first = inContext(() => activities.runCode(step), { abort }).catch((error: unknown) => error);
      await eventually(() => running(nap).length > 0);
      forget(abort);
      const cancel = new AbortController();
      const second = inContext(
        () => activities.settleCode({ step, wasSeen: true, scheduledAtMs: Date.now() }),
        { abort: cancel },
      ).catch((error: unknown) => error);
      cancel.abort(new CancelledFailure('CANCELLED'));
      expect(await second).toMatchObject({ name: 'CancelledFailure' });
      await first;
      expect(running(nap)).toEqual([]);
    });

    test('and never came to the host, which was there all the time, is run; once', async () => {
      const patient = createCodeActivities({ ...deps, uptimeMs: () => 60_000 });
      const step = shell('echo once');
      const asked = { step, wasSeen: false, scheduledAtMs: Date.now() - 5_000 };
      const settled = inContext(() => patient.settleCode(asked));
      // As much as one that `runCode` runs, it is counted among what the host holds.
      await eventually(() => patient.held() === 1);
      const { result } = await settled;
      expect(patient.held()).toBe(0);
      expect(result).toMatchObject({ outcome: 'ok', output: 'once\n' });
      await expect(inContext(() => patient.runCode(step))).rejects.toMatchObject(ranBefore);
    });

    test.each([
      ['had begun', true, 60_000],
      ['may have come to an earlier life of the host', false, 10_000],
    ])('and %s is unknown when the host knows nothing of it', async (_name, wasSeen, uptimeMs) => {
      const host = createCodeActivities({ ...deps, uptimeMs: () => uptimeMs });
      const step = shell('echo never');
      const asked = { step, wasSeen, scheduledAtMs: Date.now() - 5_000 };
      await expect(inContext(() => host.settleCode(asked))).rejects.toMatchObject(ranBefore);
    });
  });

  test('ends in the right problem for the time limit', async () => {
    const result = await limited;
    expect(result).toMatchObject({
      outcome: 'problem',
      problem: { type: type('timeout'), status: 408, detail: expect.stringMatching(/15000 ms.*so far$/s) },
    });
    expect(result.exitCode).toBeUndefined();
  });

  test('has an id that differs by run, path, iteration and attempt, and is safe as a folder name', () => {
    const ids = [
      stepId('r', '/do/0/a', [], 1),
      stepId('r', '/do/0/a', [1], 1),
      stepId('r', '/do/1/a', [], 1),
      stepId('s', '/do/0/a', [], 1),
      stepId('r', '/do/0/a', [], 2),
    ];
    expect(new Set(ids).size).toBe(5);
    expect(stepId('r', '/do/0/../ü', [1, 2], 1)).toMatch(/^r-[0-9a-f]{16}$/);
    expect(stepId('r', '/do/0/a', [], 1)).toBe(ids[0]);
  });
});
