import { expect, test } from '@jest/globals';
import { createRoom } from '../../domain/room.ts';

const limits = { total: 6, perAddress: 4, idlePerAddress: 3 };

test('The oldest connection of an address that does nothing goes for the newest', () => {
  const room = createRoom<string>(limits);
  expect(['a1', 'a2', 'a3'].map((name) => room.enter(name, 'a'))).toEqual([undefined, undefined, undefined]);
  room.busy('a1');
  expect(room.enter('a4', 'a')).toBeUndefined();
  expect(room.enter('a5', 'a')).toBe('a2');
  room.busy('a3');
  room.idle('a3');
  expect(room.enter('a6', 'a')).toBe('a4');
});

test('A newcomer is turned away only when all others of its address work', () => {
  const room = createRoom<string>(limits);
  for (const name of ['a1', 'a2', 'a3', 'a4']) {
    room.enter(name, 'a');
    room.busy(name);
  }
  expect(room.enter('a5', 'a')).toBe('a5');
  expect(room.enter('b1', 'b')).toBeUndefined();
  room.idle('a2');
  expect(room.enter('a6', 'a')).toBe('a2');
});

test('In a full room the address with most idle connections gives one up', () => {
  const room = createRoom<string>(limits);
  for (const name of ['a1', 'a2', 'a3']) room.enter(name, 'a');
  for (const name of ['b1', 'b2']) room.enter(name, 'b');
  room.enter('c1', 'c');
  expect(room.enter('d1', 'd')).toBe('a1');
  expect(room.size()).toBe(6);
  for (const name of ['a2', 'a3', 'b1', 'b2', 'c1', 'd1']) room.leave(name);
  expect(room.size()).toBe(0);
});
