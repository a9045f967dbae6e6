import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { type Broker, startBroker } from '../../drivers/bus/broker.ts';
import { busPassword } from '../../drivers/bus/credentials.ts';
import { connectBus } from '../../drivers/bus/mqtt.ts';
import type { Bus } from '../../drivers/bus/port.ts';
import { until } from '../support/client.ts';
import { openRaw } from '../support/raw.ts';

const key = randomBytes(32);
let broker: Broker;
let platform: Bus;
let url: string;

beforeAll(async () => {
  broker = await startBroker({
    port: 0,
    key,
    authenticateHost: async (credential) => (credential === 'vrh_a' ? 'a' : undefined),
    onError: () => {},
  });
  url = `http://127.0.0.1:${broker.port}`;
  platform = connectBus({
    url: url.replace('http', 'mqtt'),
    username: 'platform',
    password: busPassword(key, 'platform'),
    clientId: 'platform.test',
    onError: () => {},
  });
  await until(works, (ok) => ok, 60_000);
});
afterAll(async () => {
  await platform.close();
  await broker.close();
});

const works = () =>
  platform.check().then(
    () => true,
    () => false,
  );

const text = (value: string) =>
  Buffer.concat([Buffer.from([value.length >> 8, value.length & 255]), Buffer.from(value)]);
const packet = (type: number, ...parts: Buffer[]) => {
  const body = Buffer.concat(parts);
  return Buffer.concat([Buffer.from([type, body.length]), body]);
};
/** A CONNECT of MQTT 3.1.1 with a clean session, a name and a password. */
const login = (username: string, password: string) =>
  packet(
    0x10,
    text('MQTT'),
    Buffer.from([4, 0b1100_0010, 0, 60]),
    text(`${username}.1`),
    text(username),
    text(password),
  );
const subscribe = (topic: string) => packet(0x82, Buffer.from([0, 1]), text(topic), Buffer.from([0]));

describe('The broker closes a connection', () => {
  test.each<[string, Buffer]>([
    ['of random bytes', randomBytes(2_000)],
    ['of HTTP', Buffer.from('GET / HTTP/1.1\r\nHost: x\r\n\r\n')],
    ['that announces a login of 256 MB', Buffer.from([0x10, 0xff, 0xff, 0xff, 0x7f, 0, 4, 77])],
    ['whose length has no end', Buffer.from([0x10, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff])],
    ['that publishes before it has logged in', packet(0x30, text('vareon/events'), Buffer.from('{}'))],
    ['that subscribes before it has logged in', subscribe('#')],
    ['of a stranger', login('stranger', 'x')],
    ['of a host with another host’s name', login('host-b', 'vrh_a')],
    ['of somebody who calls themselves platform', login('platform', 'vrh_a')],
    [
      'that sends a message over the limit',
      Buffer.concat([
        login('host-a', 'vrh_a'),
        Buffer.from([0x30, 0xff, 0xff, 0xff, 0x7f]),
        text('vareon/hosts/a/x'),
      ]),
    ],
    ['that logs in twice', Buffer.concat([login('host-a', 'vrh_a'), login('host-a', 'vrh_a')])],
  ])('%s', async (_name, bytes) => {
    const raw = await openRaw(url);
    raw.socket.write(bytes);
    await raw.closed(60_000);
    expect(await works()).toBe(true);
  });
});

test.each(['#', 'vareon/#', '+/+/+', 'vareon/hosts/+/status', 'vareon/hosts/a/#', '$SYS/#', '$share/a/#'])(
  'A host that subscribes to %s is refused or closed, and hears nothing',
  async (topic) => {
    const raw = await openRaw(url);
    raw.socket.write(login('host-a', 'vrh_a'));
    await raw.until((received) => received.length >= 4);
    raw.socket.write(subscribe(topic));
    // SUBACK with the code for a refusal (3.9.3), or the end.
    await Promise.race([
      raw.until((received) => received.includes(Buffer.from([0x90, 3, 0, 1, 0x80]))),
      raw.closed(),
    ]);
    await platform.publishAcknowledged('vareon/hosts/a/status', { secret: 1 });
    expect(raw.received().includes('secret')).toBe(false);
    raw.socket.destroy();
  },
);

test('Hundreds that say nothing are closed, and those that work go on', async () => {
  const silent = await Promise.all(Array.from({ length: 400 }, () => openRaw(url)));
  // The oldest have made room already; the others had their 5 s.
  await silent[0]?.closed(60_000);
  expect(await works()).toBe(true);
  await Promise.all(silent.map((raw) => raw.closed(60_000)));
  expect(await works()).toBe(true);
});
