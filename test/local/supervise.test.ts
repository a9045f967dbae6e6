import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { identify } from '../../local/child/identity.ts';
import { supervise } from '../../local/child/supervise.ts';
import { StartError } from '../../local/events.ts';
import { readState } from '../../local/state.ts';
import { scriptPart, superviseTools, temporaryFolder, until } from './tools.ts';

const READY = `process.send({ type: 'ready' }); setInterval(() => {}, 1000);`;
const LEAVES = `process.on('SIGTERM', () => process.exit(0));`;

describe('a supervised part', () => {
  test('that dies is started again, and both are said', async () => {
    using folder = temporaryFolder();
    const tools = superviseTools(folder.path);
    const part = supervise(scriptPart(folder.path, READY), tools);
    await part.ready;
    const before = part.pid;
    const again = part.nextUp();
    part.kill('SIGKILL');
    await again;
    expect(part.pid).not.toBe(before);
    expect(tools.events.map((event) => event.type)).toEqual(['up', 'ended', 'up-again']);
    expect(tools.events[1]).toMatchObject({ part: 'platform', how: 'SIGKILL', retryMs: 20 });
    await part.stop(2_000);
  });

  test('that keeps dying is started again later and later', async () => {
    using folder = temporaryFolder();
    const tools = superviseTools(folder.path);
    const part = supervise(
      scriptPart(folder.path, `process.send({ type: 'ready' }, () => process.exit(3));`),
      tools,
    );
    await part.ready;
    const waits = await until(() => {
      const ended = tools.events.flatMap((event) => (event.type === 'ended' ? [event.retryMs] : []));
      return ended.length >= 4 && ended;
    });
    expect(waits.slice(0, 4)).toEqual([20, 40, 80, 80]);
    await part.stop(2_000);
  });

  test('that cannot start says why in one line, with the end of its log', async () => {
    using folder = temporaryFolder();
    const script = `console.error('no disk'); process.send({ type: 'failed', reason: 'the disk is missing' }, () => process.exit(1));`;
    const part = supervise(scriptPart(folder.path, script), superviseTools(folder.path));
    const error = await part.ready.catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(StartError);
    expect(error).toMatchObject({
      message: expect.stringContaining('platform worker cannot start: the disk is missing'),
      tail: expect.stringContaining('no disk'),
    });
    expect(readFileSync(join(folder.path, 'platform.log'), 'utf8')).toContain('no disk');
  });

  test('that ends before it is ready gets three attempts', async () => {
    using folder = temporaryFolder();
    const tools = superviseTools(folder.path);
    const part = supervise(scriptPart(folder.path, 'process.exit(7)'), tools);
    await expect(part.ready).rejects.toThrow('cannot start: exit code 7');
    expect(tools.events.filter((event) => event.type === 'ended')).toHaveLength(2);
  });

  test('whose program is not there says so', async () => {
    using folder = temporaryFolder();
    const spec = scriptPart(folder.path, '');
    const command = () => ({ file: '/nowhere/at-all', args: [], env: {} });
    const part = supervise({ ...spec, command }, superviseTools(folder.path));
    await expect(part.ready).rejects.toThrow('/nowhere/at-all ENOENT');
  });

  test('that never gets ready is given up', async () => {
    using folder = temporaryFolder();
    const tools = superviseTools(folder.path);
    const part = supervise(scriptPart(folder.path, 'setInterval(() => {}, 1000)'), {
      ...tools,
      timing: { readyWithinMs: 200 },
    });
    await expect(part.ready).rejects.toThrow('not ready within 0.2 s');
    expect(identify(part.pid ?? 0)).toBeUndefined();
  });

  test('stops when it is asked to, and is no longer in the state file', async () => {
    using folder = temporaryFolder();
    const part = supervise(scriptPart(folder.path, LEAVES + READY), superviseTools(folder.path));
    await part.ready;
    expect(readState(folder.path)?.parts).toMatchObject([{ part: 'platform', pid: part.pid }]);
    await part.stop(5_000);
    expect(identify(part.pid ?? 0)).toBeUndefined();
    expect(readState(folder.path)?.parts).toEqual([]);
  });

  test('that ignores the signal is killed with what it started', async () => {
    using folder = temporaryFolder();
    const script = `
      import { spawn } from 'node:child_process';
      import { writeFileSync } from 'node:fs';
      process.on('SIGTERM', () => {});
      const child = spawn('sleep', ['60'], { stdio: 'ignore' });
      writeFileSync(${JSON.stringify(join(folder.path, 'grandchild'))}, String(child.pid));
      ${READY}`;
    const part = supervise(scriptPart(folder.path, script), superviseTools(folder.path));
    await part.ready;
    const grandchild = Number(readFileSync(join(folder.path, 'grandchild'), 'utf8'));
    expect(identify(grandchild)).toBeDefined();
    await part.stop(200);
    expect(identify(part.pid ?? 0)).toBeUndefined();
    await until(() => identify(grandchild) === undefined);
  });
});
