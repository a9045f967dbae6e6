import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from '@jest/globals';
import { findProgram, lendNode, reachablePath } from '../../drivers/processes/programs.ts';
import { ensureRunAsUser } from '../../drivers/processes/run-as.ts';

const folder = mkdtempSync(join(tmpdir(), 'programs-test-'));
chmodSync(folder, 0o755);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const program = (at: string, folderMode: number, fileMode = 0o755): string => {
  const path = join(folder, at);
  mkdirSync(path);
  writeFileSync(join(path, 'tool'), '#!/bin/sh\n', { mode: fileMode });
  chmodSync(path, folderMode);
  return path;
};
const closed = program('closed', 0o700);
const notExecutable = program('plain', 0o755, 0o644);
const open = program('open', 0o755);
const path = [closed, notExecutable, open, '/nowhere', 'relative'].join(':');
const somebody = { name: 'somebody', uid: 54_321, gid: 54_321 };

describe('A program is looked up as the user who will run it', () => {
  test('what that user cannot reach or execute is passed over', async () => {
    expect(await findProgram('tool', path, somebody)).toBe(join(open, 'tool'));
    expect(await findProgram(join(closed, 'tool'), path, somebody)).toBeUndefined();
    expect(await findProgram('tool', '/nowhere', somebody)).toBeUndefined();
    expect(await findProgram('tool', path, undefined)).toBe(join(closed, 'tool'));
  });

  test('PATH loses the folders that lead nowhere', async () => {
    expect(await reachablePath(path, somebody)).toBe([notExecutable, open].join(':'));
  });

  test('this Node is lent as a copy where its own place is out of reach', async () => {
    const node = join(closed, 'tool');
    const copy = await lendNode(node, folder, somebody);
    expect(copy).toBe(join(folder, 'bin', 'node'));
    expect(await findProgram(copy, '', somebody)).toBe(copy);
    expect(await lendNode(join(open, 'tool'), folder, somebody)).toBe(join(open, 'tool'));
  });
});

describe('The user that code runs as', () => {
  test('is never root, and has a plain name', async () => {
    await expect(ensureRunAsUser('root')).rejects.toThrow('never run as root');
    await expect(ensureRunAsUser('-o')).rejects.toThrow('not a user name');
  });
});
