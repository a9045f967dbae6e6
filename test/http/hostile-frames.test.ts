import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { closeCode, frame, openRaw, type RawConnection, upgradeRaw } from '../support/raw.ts';
import { enterWorld, type TestUser, type World } from '../support/world.ts';

let world: World;
let user: TestUser;

beforeAll(async () => {
  world = await enterWorld();
  user = await world.newUser('operator');
});
afterAll(() => world.close());

const text = (value: string) => Buffer.from(value);
const open = () => upgradeRaw(world.url, '/ws/events', user.token);

async function codeAfter(...frames: Buffer[]): Promise<number | undefined> {
  const raw = await open();
  // At once: what is written after the server has gone may take along what it said.
  raw.socket.write(Buffer.concat(frames));
  return closeCode(await raw.closed());
}

/** Whether the server still answers a ping on this connection. */
async function answersPing(raw: RawConnection): Promise<boolean> {
  const mark = randomBytes(8);
  raw.socket.write(frame(0x89, mark));
  return (await raw.until((received) => received.includes(mark))).includes(mark);
}

describe('A frame that breaks the protocol closes its WebSocket with the code for it', () => {
  test.each<[string, number, Buffer[]]>([
    ['of an unknown opcode', 1002, [frame(0x83, text('a'))]],
    ['of an unknown control opcode', 1002, [frame(0x8b, text('a'))]],
    ['with reserved bits', 1002, [frame(0xf1, text('a'))]],
    ['that is not masked', 1002, [frame(0x81, text('a'), { masked: false })]],
    ['that is too large', 1009, [frame(0x81, Buffer.alloc(70_000))]],
    ['that announces 8 EiB', 1009, [Buffer.concat([Buffer.from([0x82, 0xff, 0x7f]), Buffer.alloc(7, 0xff)])]],
    ['of a ping over 125 bytes', 1002, [frame(0x89, Buffer.alloc(126))]],
    ['of a ping in pieces', 1002, [frame(0x09, text('a'))]],
    ['that goes on with nothing', 1002, [frame(0x80, text('a'))]],
    ['that begins anew within a message', 1002, [frame(0x01, text('a')), frame(0x81, text('b'))]],
    ['of text that is not UTF-8', 1007, [frame(0x81, Buffer.from([0xc3, 0x28]))]],
    ['of a close code that is none', 1002, [frame(0x88, Buffer.from([0x03, 0xed]))]],
    ['of a close of one byte', 1002, [frame(0x88, Buffer.from([0x03]))]],
    [
      'that makes a message too large',
      1009,
      [frame(0x01, Buffer.alloc(60_000)), frame(0x80, Buffer.alloc(60_000))],
    ],
    [
      'in a message without end',
      1008,
      [frame(0x01, text('a')), ...Array.from({ length: 100 }, () => frame(0x00, text('a')))],
    ],
    ['in a flood of pings', 1008, Array.from({ length: 2_000 }, () => frame(0x89, Buffer.alloc(125)))],
    ['in a flood of messages', 1008, Array.from({ length: 2_000 }, () => frame(0x81, text('{}')))],
  ])('%s', async (_name, code, frames) => expect(await codeAfter(...frames)).toBe(code));
});

test('What clients say on a socket that only tells changes nothing', async () => {
  const raw = await open();
  const deep = `${'['.repeat(20_000)}${']'.repeat(20_000)}`;
  for (const said of ['', 'no JSON', 'null', '5', '{"type":"subscribe"}', '{"__proto__":1}', deep, '\0'])
    raw.socket.write(frame(0x81, text(said)));
  raw.socket.write(frame(0x82, randomBytes(1_000)));
  expect(await answersPing(raw)).toBe(true);
  raw.socket.destroy();
});

test('Random bytes instead of frames end the connection and nothing else', async () => {
  const raws = await Promise.all(Array.from({ length: 50 }, open));
  for (const { socket } of raws) {
    socket.write(randomBytes(4_096));
    socket.end();
  }
  await Promise.all(raws.map((raw) => raw.closed()));
  expect((await world.api('GET', '/health')).status).toBe(200);
});

describe('An upgrade is refused as plain HTTP', () => {
  const base = () => ({
    Host: 'x',
    Connection: 'Upgrade',
    Upgrade: 'websocket',
    'Sec-WebSocket-Version': '13',
    'Sec-WebSocket-Key': randomBytes(16).toString('base64'),
    Authorization: `Bearer ${user.token}`,
  });
  test.each<[string, Record<string, string | undefined>, number]>([
    ['of another version', { 'Sec-WebSocket-Version': '7' }, 400],
    ['without a key', { 'Sec-WebSocket-Key': undefined }, 400],
    ['with a key that is none', { 'Sec-WebSocket-Key': 'x' }, 400],
    ['with a malformed protocol list', { 'Sec-WebSocket-Protocol': ',' }, 400],
    ['with a login that is none', { Authorization: 'Bearer \u00ff' }, 401],
    ['from an odd origin', { Origin: 'null' }, 403],
  ])('%s', async (_name, changes, status) => {
    const raw = await openRaw(world.url);
    const lines = Object.entries({ ...base(), ...changes }).flatMap(([name, value]) =>
      value === undefined ? [] : [`${name}: ${value}`],
    );
    raw.socket.write(Buffer.from(`GET /ws/events HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n`, 'latin1'));
    expect((await raw.closed()).toString()).toMatch(
      new RegExp(`^HTTP/1\\.1 ${status} [\\s\\S]*application/problem\\+json`),
    );
  });
});
