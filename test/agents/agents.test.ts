import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { v7 as uuidv7 } from 'uuid';
import { configurationProblems, settled } from '../../domain/myntrix/agent-configuration.ts';
import { healthOf } from '../../domain/myntrix/agent-health.ts';
import type { AgentOrder, AgentReport } from '../../domain/myntrix/agent-reports.ts';
import { verdictOn } from '../../domain/myntrix/agent-restarts.ts';
import { createAgentContainers } from '../../drivers/agents/containers.ts';
import { startPaths } from '../../drivers/agents/files.ts';
import { findEngine } from '../../drivers/containers/engine.ts';
import { bootId, procEntry, processTable, procFile } from '../../drivers/processes/proc.ts';
import { StaleOrder } from '../../drivers/workflows/stale-order.ts';
import { eventually, running, uniqueNap } from '../processes/rig.ts';
import { type AgentRig, createAgentRig, openAgents, PATH, shell, untilReport } from './rig.ts';

let rig: AgentRig;
beforeAll(async () => {
  rig = await createAgentRig();
});
afterAll(() => rig.close());

const never = new AbortController().signal;

describe('An agent', () => {
  test('runs in a session of its own, with its own variables only, and stops with everything it started', async () => {
    const [own, escaped] = [uniqueNap(), uniqueNap()];
    const { order, ended } = rig.start({
      ...shell(
        `echo "$GREETING $VAREON_AGENT_ID $(id -u)"; sleep ${own} & setsid sleep ${escaped} & trap '' TERM; while :; do sleep ${own}; done`,
      ),
      env: { GREETING: 'hello' },
      killTimeoutMs: 100,
    });
    const { pid } = await rig.until(order.id, ({ status }) => status === 'running');
    await eventually(() => running(own).length > 0 && running(escaped).length > 0);
    expect(readFileSync(`/proc/${pid}/environ`, 'utf8')).not.toContain('npm_');
    expect(await rig.log(order.id)).toMatch(new RegExp(`^hello ${order.id} \\d+\\n`));
    await rig.agents.stop({ id: order.id, epoch: order.epoch + 1 });
    expect([...running(own), ...running(escaped)]).toEqual([]);
    expect(await ended).toEqual({ kind: 'stopped' });
    expect(rig.agents.reports().find(({ id }) => id === order.id)).toMatchObject({
      status: 'stopped',
      pid: null,
    });
  });

  test('is asked to stop by its own signal', async () => {
    const { order } = rig.start({
      ...shell('trap "echo thanks; exit 0" INT; echo up; while :; do sleep 0.05; done'),
      stopSignal: 'SIGINT',
      killTimeoutMs: 60_000,
    });
    await eventuallyLog(order.id, /up/);
    await rig.agents.stop({ id: order.id, epoch: order.epoch + 1 });
    expect(await rig.log(order.id)).toBe('up\nthanks\n');
  });

  test('that crashes runs again, as another process, until there were too many restarts', async () => {
    const { order, ended } = rig.start({
      ...shell('echo born; sleep 0.02; echo dying >&2; exit 3'),
      maxRestarts: 2,
      backoff: { initialMs: 0 },
    });
    expect(await ended).toMatchObject({ kind: 'error', reason: expect.stringContaining('maxRestarts is 2') });
    const report = await rig.until(order.id, ({ lastEnd }) => lastEnd?.log !== '');
    expect(report).toMatchObject({
      status: 'error',
      health: 0,
      restarts: 2,
      lastEnd: { cause: 'exit', code: 3, signal: null },
    });
    expect(report.lastEnd?.log).toMatch(/born\ndying\n$/);
    expect(await rig.log(order.id)).toBe('born\ndying\n'.repeat(3));
  });

  test('that ends while its next start is made ready is followed by one of its own', async () => {
    const { order } = rig.start({
      ...shell('echo $$; exec sleep 86400'),
      restart: 'on-failure',
      maxRestarts: 100,
      backoff: { initialMs: 0 },
    });
    let before: number | null = null;
    for (let round = 0; round < 20; round++) {
      const { pid } = await rig.until(order.id, (now) => now.status === 'running' && now.pid !== before);
      await eventuallyLog(order.id, new RegExp(`^${pid}\n$`, 'm'));
      // Made anew as the first thing that is done for the next start.
      const folder = join(rig.dataDir, 'agents', order.id);
      const isBegun = () => [0, 1].every((one) => isOfNoEnd(startPaths(folder, one).status));
      for (const limit = performance.now() + 60_000; !isBegun(); ) {
        if (performance.now() > limit) throw new Error('an end is noted of what runs or is made ready');
        await new Promise((resolve) => setImmediate(resolve));
      }
      process.kill(Number(pid), 'SIGKILL');
      before = pid;
    }
    await rig.until(order.id, ({ status, restarts }) => status === 'running' && restarts === 20);
  });

  test('that is dead is not lost while its launcher has yet to say how it ended', async () => {
    const options = { ...shell('while :; do echo; sleep 0.05; done'), backoff: { initialMs: 0 } };
    const [told, untold, other] = [1, 2, 3].map(() => rig.start(options).order.id) as [
      string,
      string,
      string,
    ];
    const isRunning = ({ status }: AgentReport) => status === 'running';
    const { pid } = await rig.until(told, isRunning);
    const { pid: left } = await rig.until(untold, isRunning);
    const launcher = procEntry(Number(pid))?.parent ?? 0;
    process.kill(launcher, 'SIGSTOP');
    // On a busy machine it may have work to do before it stands still: it would take note of an end.
    await eventually(() => procEntry(launcher)?.state === 'T');
    process.kill(procEntry(Number(left))?.parent ?? 0, 'SIGKILL');
    for (const one of [pid, left]) process.kill(Number(one), 'SIGKILL');
    await eventually(() => procEntry(Number(pid))?.state === 'Z');
    // How much one printed is known whenever the host has looked at all of them.
    const { logBytes } = await rig.until(other, isRunning);
    await rig.until(other, (now) => now.logBytes > logBytes);
    expect(await rig.until(told, () => true)).toMatchObject({ status: 'running', pid, restarts: 0 });
    process.kill(launcher, 'SIGCONT');
    const restarted = (report: AgentReport) => isRunning(report) && report.restarts === 1;
    expect((await rig.until(told, restarted)).lastEnd).toMatchObject({ cause: 'exit', signal: 'SIGKILL' });
    expect((await rig.until(untold, restarted)).lastEnd).toMatchObject({ cause: 'lost', signal: null });
    for (const id of [told, untold, other]) await rig.agents.stop({ id, epoch: 1_000 });
  });

  test('that a signal ends says which, and is restarted', async () => {
    const { order } = rig.start({ ...shell('sleep 86400'), backoff: { initialMs: 0 } });
    const { pid } = await rig.until(order.id, ({ status }) => status === 'running');
    // It has its number a moment before it has a group of its own.
    await eventuallyGroup(Number(pid));
    process.kill(-Number(pid), 'SIGKILL');
    const again = await rig.until(order.id, (now) => now.status === 'running' && now.pid !== pid);
    expect(again).toMatchObject({ restarts: 1, lastEnd: { cause: 'exit', code: null, signal: 'SIGKILL' } });
    expect(again.health).toBeLessThan(100);
  });

  test('that may fail is not restarted after its success', async () => {
    const { order, ended } = rig.start({ ...shell('echo done'), restart: 'on-failure' });
    expect(await ended).toEqual({ kind: 'stopped' });
    expect(await rig.log(order.id)).toBe('done\n');
  });

  test.each([
    ['is not there', { command: '/no/such/program' }, /is not a program/],
    ['is not executable', { command: '/etc/passwd' }, /is not a program/],
    ['has no such working folder', { ...shell(':'), cwd: '/no/such/folder' }, /ENOENT/],
    ['steers the loader', { ...shell(':'), env: { LD_PRELOAD: 'x' } }, /LD_PRELOAD/],
  ])('whose command %s ends in an error that says so', async (_, configuration, reason) => {
    const { ended } = rig.start({ ...configuration, maxRestarts: 1, backoff: { initialMs: 0 } });
    expect(await ended).toMatchObject({ kind: 'error', reason: expect.stringMatching(reason) });
  });

  test('that uses more memory than it may is restarted, and says so', async () => {
    const { order } = rig.start({
      runtime: 'node',
      code: 'const kept = Buffer.alloc(200e6, 1); setInterval(() => kept, 60_000)',
      memoryLimitBytes: 150e6,
      maxRestarts: 100,
      backoff: { initialMs: 0 },
    });
    const report = await rig.until(order.id, ({ restarts }) => restarts > 0);
    expect(report.lastEnd).toMatchObject({
      cause: 'memory',
      message: expect.stringContaining('its limit is 150000000'),
    });
    await rig.agents.stop({ id: order.id, epoch: order.epoch + 1 });
  });

  test('whose health check fails is restarted, and says so', async () => {
    let status = 200;
    const server = createServer((_, answer) => answer.writeHead(status).end()).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo; // of a TCP server
    // Theirs before they are: one that is started is asked before it has done anything.
    const cwd = mkdtempSync(join(tmpdir(), 'healthy-'));
    chmodSync(cwd, 0o755);
    for (const file of ['well', 'beat']) writeFileSync(join(cwd, file), '');
    const often = { intervalMs: 100, failureThreshold: 2 };
    const kinds = [
      { http: { port, path: '/health' }, ...often },
      { command: ['test', '-e', 'well'], startPeriodMs: 0, ...often },
      { heartbeatFile: { path: 'beat', maxAgeMs: 86_400_000 }, ...often },
    ];
    const orders = kinds.map(
      (healthCheck) =>
        rig.start({
          ...shell('sleep 86400'),
          cwd,
          healthCheck,
          backoff: { initialMs: 0 },
        }).order,
    );
    for (const { id } of orders) await rig.until(id, (now) => now.status === 'running');
    status = 500;
    const [first] = orders;
    const report = await rig.until(first?.id ?? '', ({ restarts }) => restarts > 0);
    expect(report.lastEnd).toMatchObject({
      cause: 'health',
      message: expect.stringContaining('answered 500'),
    });
    for (const { id } of orders.slice(1))
      expect(rig.agents.reports().find((one) => one.id === id)).toMatchObject({ restarts: 0, health: 100 });
    for (const { id, epoch } of orders) await rig.agents.stop({ id, epoch: epoch + 10 });
    server.close();
    rmSync(cwd, { recursive: true });
  });

  test('prints without end, and its offsets stay while old output goes', async () => {
    const { order } = rig.start({
      ...shell('while :; do echo 0123456789; done'),
      logs: { maxBytes: 65_536, files: 2 },
    });
    await rig.until(order.id, (now) => now.logBytes > 1_000_000);
    await rig.agents.stop({ id: order.id, epoch: order.epoch + 1 });
    const { logBytes } = await rig.until(order.id, ({ status }) => status === 'stopped');
    const old = await rig.agents.readLog(order.id, 0, 1_000);
    expect(old?.offset).toBeGreaterThan(logBytes - 200_000);
    const whole = '0123456789\n'.repeat(200);
    expect(old?.text).toBe(whole.slice((old?.offset ?? 0) % 11).slice(0, 1_000));
    expect(statSync(join(rig.dataDir, 'agents', order.id, 'output')).blocks * 512).toBeLessThan(logBytes);
  });

  test('of Python has what it requires, installed once, or says why it cannot', async () => {
    const wheels = mkdtempSync(join(tmpdir(), 'wheels-'));
    chmodSync(wheels, 0o755);
    const wheel = makeWheel(wheels, 'import os\ndef word(): return "from the wheel"');
    const order = (requirements: string[]) =>
      rig.start({
        runtime: 'python',
        code: 'import tiny_for_tests, time; print(tiny_for_tests.word()); time.sleep(86400)',
        requirements,
      });
    const need = [`tiny-for-tests @ file://${wheel}`];
    const both = [order(need), order(need)]; // one installs, the other waits for it
    for (const { order: one } of both) await eventuallyLog(one.id, /from the wheel/);
    const logs = await Promise.all(both.map(({ order: one }) => rig.log(one.id)));
    expect(logs.filter((log) => log.includes('Successfully installed'))).toHaveLength(1);
    const broken = order([`tiny-for-tests @ file://${wheel}.missing`]);
    expect(await broken.ended).toMatchObject({
      kind: 'error',
      reason: expect.stringMatching(/requirements could not be installed \(code 1\): .*missing/),
    });
    rmSync(wheels, { recursive: true });
  });

  test('in a container is its client’s, and the engine is asked to end it', async () => {
    const engine = mkdtempSync(join(tmpdir(), 'engine-'));
    copyFileSync('test/neosyntis/fake-docker.mjs', join(engine, 'fake.mjs'));
    writeFileSync(
      join(engine, 'docker'),
      `#!/bin/sh\nexec '${process.execPath}' '${engine}/fake.mjs' "$@"\n`,
    );
    chmodSync(join(engine, 'docker'), 0o755);
    const path = `${engine}:${PATH}`;
    const found = await findEngine(path, {});
    const containers =
      found &&
      createAgentContainers({ engine: found, PATH: path, lent: { folder: undefined, owner: undefined } });
    const dataDir = mkdtempSync(join(tmpdir(), 'agents-test-'));
    const docked = await openAgents(dataDir, { containers });
    const nap = uniqueNap();
    const configuration: AgentOrder['configuration'] = {
      runtime: 'container',
      image: 'busybox',
      command: '/bin/sh',
      args: ['-c', `echo "$WORD"; exec sleep ${nap}`, 'sh'], // the client's line does not end like the container's
      env: { WORD: 'hello' },
      ports: { '80': 8080 },
      killTimeoutMs: 50,
      backoff: { initialMs: 0 },
    };
    const order: AgentOrder = { id: uuidv7(), name: 'x', epoch: 1, configuration };
    void docked.supervise(order, never);
    const { pid } = await untilReport(docked, order.id, ({ status }) => status === 'running');
    // The client knows its container a moment after that is there.
    const isThere = () =>
      running(nap).length === 1 && readdirSync(engine).some((name) => name.endsWith('.container'));
    await eventually(isThere);
    process.kill(Number(pid), 'SIGKILL'); // only the client: its container goes on, and must not be there twice
    await untilReport(docked, order.id, ({ restarts, status }) => restarts === 1 && status === 'running');
    while ((await docked.readLog(order.id, 0, 100))?.text !== 'hello\nhello\n') await delay(10);
    await eventually(isThere);
    docked.close();
    const next = await openAgents(dataDir, { containers });
    expect(await next.adopt()).toBe(1);
    await next.stop({ id: order.id, epoch: 2 });
    await eventually(() => running(nap).length === 0); // this engine does not wait for a death
    const missing = next.supervise(
      { ...order, epoch: 3, configuration: { ...configuration, image: 'missing', restart: 'never' } },
      never,
    );
    expect(await missing).toMatchObject({ reason: expect.stringContaining('could not be started') });
    expect((await next.readLog(order.id, 0, 1_000))?.text).toContain('No such image');
    await next.forget(order.id);
    next.close();
    const calls = readFileSync(join(engine, 'calls'), 'utf8').split('\n').filter(Boolean);
    const run = calls.map((line) => JSON.parse(line)).find(({ args }) => args[0] === 'run');
    expect(run.args).toEqual(
      expect.arrayContaining([
        '--cap-drop=ALL',
        '--publish=127.0.0.1:8080:80',
        `--label=vareon.agent=${order.id}`,
      ]),
    );
    for (const folder of [engine, dataDir]) rmSync(folder, { recursive: true, force: true });
    const { ended } = rig.start(configuration); // a host without an engine
    expect(await ended).toMatchObject({
      reason: 'this host has neither docker nor podman, or it does not answer',
    });
  });

  test('follows the newest order only', async () => {
    const { order } = rig.start(shell('sleep 86400'));
    const { pid } = await rig.until(order.id, ({ status }) => status === 'running');
    const again = rig.agents.supervise(order, AbortSignal.timeout(50));
    await expect(again).rejects.toThrow(); // looked on, and was told to let go
    expect(await rig.until(order.id, ({ status }) => status === 'running')).toMatchObject({ pid });
    await rig.agents.stop({ id: order.id, epoch: order.epoch + 2 });
    await expect(rig.agents.supervise({ ...order, epoch: order.epoch + 1 }, never)).rejects.toThrow(
      StaleOrder,
    );
    await expect(rig.agents.stop({ id: order.id, epoch: order.epoch + 1 })).rejects.toThrow(StaleOrder);
  });
});

describe('The agents of a host that was killed', () => {
  test('go on, are adopted as they are, and are never started twice', async () => {
    const dataDir = mkdtempSync(join(tmpdir(), 'agents-test-'));
    const order = (configuration: AgentOrder['configuration']): AgentOrder => ({
      id: uuidv7(),
      name: 'x',
      epoch: 1,
      configuration,
    });
    const counting = order({
      ...shell('i=0; while :; do i=$((i+1)); echo $i; sleep 0.01; done'),
      backoff: { initialMs: 0 },
    });
    const crashing = order({ ...shell('while [ ! -e go ]; do sleep 0.01; done; exit 7'), restart: 'never' });
    const host = spawn(
      process.execPath,
      ['test/agents/life.ts', dataDir, JSON.stringify([counting, crashing])],
      { stdio: ['ignore', 'pipe', 'inherit'] },
    );
    await once(host.stdout, 'data');
    await eventually(() => startsOf(counting.id).has(2)); // the next start stands by
    const first = await openAgents(dataDir); // only to read; nothing is adopted
    first.close();
    host.kill('SIGKILL');
    await once(host, 'exit');
    await eventually(() => !startsOf(counting.id).has(2)); // and does not outlive the host

    const note = JSON.parse(readFileSync(join(dataDir, 'agents', crashing.id, 'note.json'), 'utf8'));
    process.kill(note.started.pid, 'SIGTERM'); // it dies while nobody looks on
    await eventually(() =>
      readFileSync(startPaths(join(dataDir, 'agents', crashing.id), 1).status, 'utf8').includes('exit'),
    );
    const agents = await openAgents(dataDir);
    expect(await agents.adopt()).toBe(1);
    const adopted = agents.reports().find(({ id }) => id === counting.id);
    const before = JSON.parse(
      readFileSync(join(dataDir, 'agents', counting.id, 'note.json'), 'utf8'),
    ).started;
    expect(adopted).toMatchObject({ status: 'running', pid: before.pid });
    void agents.supervise(counting, never);
    expect(await agents.supervise(crashing, never)).toMatchObject({
      kind: 'error',
      reason: expect.stringContaining('SIGTERM'),
    });

    process.kill(before.pid, 'SIGKILL'); // an adopted one is watched as closely
    const again = await untilReport(
      agents,
      counting.id,
      (now) => now.status === 'running' && now.pid !== before.pid,
    );
    expect(again).toMatchObject({ restarts: 1, lastEnd: { signal: 'SIGKILL' } });
    while (
      (await agents.readLog(counting.id, 0, 1_000_000))?.text.split('\n').filter((line) => line === '1')
        .length !== 2
    )
      await new Promise((resolve) => setTimeout(resolve, 10));
    await agents.stop({ id: counting.id, epoch: 2 });
    expect(startsOf(counting.id)).toEqual(new Set());
    const log = (await agents.readLog(counting.id, 0, 1_000_000))?.text ?? '';
    const lines = log.trim().split('\n');
    const restart = lines.lastIndexOf('1');
    expect(restart).toBeGreaterThan(0);
    expect(lines).toEqual([
      ...lines.slice(0, restart).map((_, i) => `${i + 1}`),
      ...lines.slice(restart).map((_, i) => `${i + 1}`),
    ]);
    for (const { id } of [counting, crashing]) await agents.forget(id);
    agents.close();
    rmSync(dataDir, { recursive: true, force: true });
  });
});

test('A pid is an agent’s only with its start time and on its boot', async () => {
  const dataDir = mkdtempSync(join(tmpdir(), 'agents-test-'));
  const nap = uniqueNap();
  const innocent = spawn('sleep', [nap], { detached: true, stdio: 'ignore' });
  await once(innocent, 'spawn');
  const { pid = 0 } = innocent;
  const notes = [
    { wanted: 'running', boot: bootId(), start: 1 }, // its number is somebody else's by now
    { wanted: 'stopped', boot: bootId(), start: 1 },
    { wanted: 'running', boot: 'another', start: procEntry(pid)?.start },
  ].map(({ wanted, ...of }) => ({
    order: { id: uuidv7(), name: 'x', epoch: 1, configuration: { command: 'sleep', args: ['86400'] } },
    wanted,
    restarts: [],
    restarted: 0,
    seq: 0,
    started: { ...of, pid, number: 1, locks: '1', at: 0 },
  }));
  for (const note of notes) {
    mkdirSync(join(dataDir, 'agents', note.order.id), { recursive: true });
    writeFileSync(join(dataDir, 'agents', note.order.id, 'note.json'), JSON.stringify(note));
  }
  const agents = await openAgents(dataDir);
  expect(await agents.adopt()).toBe(0);
  const [reused, , rebooted] = notes.map(({ order }) => order);
  for (const order of [reused, rebooted]) {
    if (!order) throw new Error('no order');
    void agents.supervise(order, never); // still wanted
    const now = await untilReport(agents, order.id, ({ status }) => status === 'running');
    expect(now.pid).not.toBe(pid);
    await agents.stop({ id: order.id, epoch: 2 });
  }
  expect(running(nap)).toEqual([`${pid}`]);
  for (const { order } of notes) await agents.forget(order.id);
  agents.close();
  innocent.kill('SIGKILL');
  rmSync(dataDir, { recursive: true, force: true });
});

describe('What an agent’s figures mean', () => {
  test('health is the sum of its parts', () => {
    const well = {
      life: 'up',
      check: undefined,
      restarts: { inWindow: 0, allowed: 10 },
      memory: undefined,
    } as const;
    expect(healthOf(well)).toEqual({
      health: 100,
      parts: { liveness: 40, checks: 30, restarts: 20, resources: 10 },
    });
    expect(healthOf({ ...well, life: 'down' }).health).toBe(0);
    expect(healthOf({ ...well, check: { failures: 1, threshold: 3 } }).parts.checks).toBe(20);
    expect(healthOf({ ...well, restarts: { inWindow: 5, allowed: 10 } }).parts.restarts).toBe(10);
    expect(healthOf({ ...well, memory: { bytes: 90, limitBytes: 100 } }).parts.resources).toBe(5);
  });

  test('a restart waits longer each time, up to a limit, and policies decide whether there is one', () => {
    const policy = settled({
      command: 'x',
      backoff: { initialMs: 100, maxMs: 350, factor: 2 },
      maxRestarts: 4,
    });
    const failed = { cause: 'exit', code: 1, signal: null } as const;
    const waits = [0, 1, 2, 3].map((n) => verdictOn(failed, Array(n).fill(1_000), policy, 1_001));
    expect(waits).toEqual([100, 200, 350, 350].map((afterMs) => ({ kind: 'restart', afterMs })));
    expect(verdictOn(failed, Array(4).fill(1_000), policy, 1_001).kind).toBe('give_up');
    expect(verdictOn(failed, Array(4).fill(1_000), policy, 61_001).kind).toBe('restart'); // the window has passed
    expect(verdictOn({ ...failed, code: 0 }, [], { ...policy, restart: 'on-failure' }, 0).kind).toBe('done');
    expect(verdictOn(failed, [], { ...policy, restart: 'never' }, 0).kind).toBe('give_up');
  });

  test('a runtime has what it needs', () => {
    expect(configurationProblems({ command: 'x' })).toEqual([]);
    expect(configurationProblems({})).toEqual([{ path: '/command', message: expect.any(String) }]);
    expect(configurationProblems({ runtime: 'node', code: 'x', script: 'y' })).toHaveLength(1);
    expect(configurationProblems({ runtime: 'python', command: 'x', code: 'y' })).toHaveLength(1);
  });
});

/** A wheel by hand: what pip needs no network and no build for. */
function makeWheel(folder: string, source: string): string {
  const file = join(folder, 'tiny_for_tests-1.0-py3-none-any.whl');
  const info = 'tiny_for_tests-1.0.dist-info';
  const files = {
    'tiny_for_tests.py': source,
    [`${info}/METADATA`]: 'Metadata-Version: 2.1\nName: tiny-for-tests\nVersion: 1.0\n',
    [`${info}/WHEEL`]: 'Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n',
    [`${info}/RECORD`]: '',
  };
  const script =
    'import json,sys,zipfile\nwith zipfile.ZipFile(sys.argv[1],"w") as z:\n for n,t in json.loads(sys.argv[2]).items(): z.writestr(n,t)';
  execFileSync('python3', ['-c', script, file, JSON.stringify(files)]);
  chmodSync(file, 0o644);
  return file;
}

/** The starts of an agent of which there are processes. */
function startsOf(id: string): Set<number> {
  const mark = new RegExp(`(?:^|\\0)VAREON_STEP=agent-${id}-(\\d+)\\0`);
  const found = processTable().map(({ pid }) => mark.exec(procFile(pid, 'environ') ?? '')?.[1]);
  return new Set(found.filter((number) => number !== undefined).map(Number));
}

const eventuallyLog = async (id: string, pattern: RegExp): Promise<void> => {
  while (!pattern.test(await rig.log(id))) await new Promise((resolve) => setTimeout(resolve, 10));
};

const isOfNoEnd = (file: string): boolean => existsSync(file) && !readFileSync(file, 'utf8').includes('exit');

const eventuallyGroup = async (pid: number): Promise<void> => {
  while (procEntry(pid)?.group !== pid) await new Promise((resolve) => setTimeout(resolve, 10));
};
