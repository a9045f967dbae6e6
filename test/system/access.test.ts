import { expect, test } from '@jest/globals';
import type { SystemFunction } from '../../domain/system/access.ts';
import { createSystemAccess } from '../../drivers/system/access.ts';

function newAccess(mocked: SystemFunction[] = [], timeoutMs = 60_000) {
  const warnings: object[] = [];
  const told: object[] = [];
  const log = {
    warn: (details: object) => warnings.push(details),
    info: (details: object) => told.push(details),
  };
  return { warnings, told, ...createSystemAccess({ mocked: new Set(mocked), log, timeoutMs }) };
}

const real = async () => ({ total: 7 });
const mock = () => ({ total: 100 });

test('What can be read is real, and says nothing else', async () => {
  const { read, fallbacks, warnings } = newAccess();
  expect(await read('processes', real, mock)).toEqual({ total: 7 });
  expect(fallbacks()).toEqual([]);
  expect(warnings).toEqual([]);
});

test('A flag makes values up without asking the machine', async () => {
  const { read, fallbacks } = newAccess(['processes']);
  const never = () => Promise.reject(new Error('asked'));
  const reason = 'VAREON_MOCK_PROCESSES=true';
  expect(await read('processes', never, mock)).toEqual({ total: 100, mocked: true, reason });
  expect(fallbacks()).toMatchObject([{ function: 'processes', mocked: true, reason }]);
});

test('A failure falls back with its reason, is warned of once, and is over when it works again', async () => {
  const { read, fallbacks, warnings, told } = newAccess();
  const denied = Object.assign(new Error('EACCES: permission denied, open /proc\nmore'), { code: 'EACCES' });
  const fails = () => Promise.reject(denied);
  for (let time = 0; time < 3; time++)
    expect(await read('processes', fails, mock)).toEqual({
      total: 100,
      mocked: true,
      reason: 'permission denied: EACCES: permission denied, open /proc',
    });
  expect(warnings).toHaveLength(1);
  expect(fallbacks()).toHaveLength(1);
  expect(await read('processes', real, mock)).toEqual({ total: 7 });
  expect(fallbacks()).toEqual([]);
  expect(told).toHaveLength(1);
  await read('processes', () => Promise.reject(new Error('broken')), mock);
  expect(warnings).toHaveLength(2);
});

test('What hangs is given up, and not asked again beside itself', async () => {
  const { read, fallbacks } = newAccess([], 10);
  let asked = 0;
  const { promise, resolve } = Promise.withResolvers<{ total: number }>();
  const hangs = () => {
    asked++;
    return promise;
  };
  expect(await read('file_system', hangs, mock)).toMatchObject({
    mocked: true,
    reason: 'no answer within 0.01 s',
  });
  expect(await read('file_system', hangs, mock)).toMatchObject({ mocked: true });
  expect(asked).toBe(1);
  expect(fallbacks()).toMatchObject([{ function: 'file_system' }]);
  resolve({ total: 7 });
  await promise;
  expect(await read('file_system', hangs, mock)).toEqual({ total: 7 });
});
