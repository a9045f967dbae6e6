import { describe, expect, test } from '@jest/globals';
import { type Candidate, choose, satisfies } from '../../domain/system/placement.ts';

const host = (name: string, more: Partial<Candidate> = {}): Candidate => ({
  name,
  online: true,
  capabilities: { code: true, python: '3.11.7', cpus: 4 },
  sessions: 0,
  generation: 1,
  allowed: true,
  ...more,
});
const anything = { capabilities: {} };
const placed = (name: string) => expect.objectContaining({ kind: 'placed', host: name });

describe('A step is placed', () => {
  test('on the own host when it asks for nothing, and elsewhere only while that is away', () => {
    const hosts = [host('a'), host('local', { sessions: 9 })];
    expect(choose(hosts, anything, 'local')).toEqual(placed('local'));
    expect(choose([host('a'), host('local', { online: false })], anything, 'local')).toEqual(placed('a'));
  });

  test('on the least busy host that can do what it asks for; the own host wins a draw', () => {
    const wanted = { capabilities: { python: null } };
    const busy = [host('a', { sessions: 3 }), host('b', { sessions: 1 }), host('local', { sessions: 2 })];
    expect(choose(busy, wanted, 'local')).toEqual(placed('b'));
    expect(choose([host('a'), host('local')], wanted, 'local')).toEqual(placed('local'));
  });

  test('on no host that the owner of the run may not use', () => {
    const hosts = [host('a', { allowed: false, online: true }), host('b', { online: false })];
    expect(choose(hosts, { host: 'a', capabilities: {} }, 'local')).toMatchObject({
      kind: 'refused',
      reason: expect.stringMatching(/host a;/),
    });
    expect(choose(hosts, anything, 'local')).toMatchObject({ kind: 'none' });
    expect(choose([host('a', { allowed: false })], anything, 'local')).toMatchObject({ kind: 'refused' });
  });

  test('at once not at all when it is a container, and nobody has said to have docker or podman', () => {
    const wanted = { capabilities: { container: null } };
    const docker = { code: true, container: 'docker' };
    expect(choose([host('a'), host('local')], wanted, 'local')).toEqual({
      kind: 'unable',
      reason: 'No host has docker or podman',
    });
    expect(choose([host('a')], { ...wanted, host: 'a' }, 'local')).toEqual({
      kind: 'unable',
      reason: 'Host a has neither docker nor podman',
    });
    expect(choose([host('a', { capabilities: {} })], wanted, 'local')).toMatchObject({ kind: 'none' });
    const away = host('b', { capabilities: docker, online: false });
    expect(choose([host('a'), away], wanted, 'local')).toMatchObject({ kind: 'none' });
    expect(choose([host('a'), host('b', { capabilities: docker })], wanted, 'local')).toEqual(placed('b'));
  });

  test('nowhere while nobody is there, which names what was asked for', () => {
    expect(choose([host('a')], { host: 'b', capabilities: { gpu: 'a100', code: null } }, 'local')).toEqual({
      kind: 'none',
      reason: 'None of the hosts is online with the name b and the capability gpu: "a100", code',
    });
  });
});

test.each([
  [{ code: null }, true],
  [{ gpu: null }, false],
  [{ python: '3.11' }, true],
  [{ python: '3.1' }, false],
  [{ cpus: 4 }, true],
  [{ cpus: 5 }, false],
  [{ code: true, gpu: false }, true],
  [{ toString: null }, false],
])('What is asked for, %j, is met: %j', (wanted, met) => {
  expect(satisfies({ code: true, python: '3.11.7', cpus: 4 }, wanted)).toBe(met);
});
