import { randomBytes } from 'node:crypto';
import { createConnection } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import mqtt from 'mqtt';
import { type Broker, startBroker } from '../../drivers/bus/broker.ts';
import { busPassword } from '../../drivers/bus/credentials.ts';
import { connectBus } from '../../drivers/bus/mqtt.ts';
import type { Bus } from '../../drivers/bus/port.ts';
import { until } from '../support/client.ts';

const key = randomBytes(32);
/** Hosts by their credentials, which are `vrh_` and the name here. */
const deleted = new Set<string>();
const authenticateHost = async (credential: string) => {
  const name = credential.replace('vrh_', '');
  return deleted.has(name) ? undefined : name;
};
const passwordOf = (username: string) =>
  username === 'platform' ? busPassword(key, username) : username.replace('host-', 'vrh_');
let broker: Broker;
const open: Bus[] = [];
/** Who is not let in never is: this long one tries. */
const REFUSED_AFTER_MS = 2_000;

beforeAll(async () => {
  broker = await startBroker({ port: 0, key, authenticateHost, onError: () => {} });
});
afterAll(async () => {
  await Promise.all(open.map((bus) => bus.close()));
  await broker.close();
});

async function connect(
  username: string,
  options: { will?: { topic: string; message: object }; password?: string; withinMs?: number } = {},
) {
  const bus = connectBus({
    url: `mqtt://127.0.0.1:${broker.port}`,
    username,
    password: options.password ?? passwordOf(username),
    clientId: `${username}.${randomBytes(4).toString('hex')}`,
    ...(options.will ? { will: options.will } : {}),
    onError: () => {},
  });
  open.push(bus);
  await until(
    () =>
      bus.check().then(
        () => true,
        () => false,
      ),
    Boolean,
    options.withinMs ?? 60_000,
  );
  return bus;
}

describe('The embedded bus', () => {
  test('carries messages to those who subscribed, with one level left open', async () => {
    const platform = await connect('platform');
    const host = await connect('host-a');
    const seen: unknown[] = [];
    await platform.subscribe('vareon/hosts/+/logs', (message, topic) => seen.push([topic, message]));
    host.publish('vareon/hosts/a/logs', { n: 1 });
    await until(
      async () => seen,
      ({ length }) => length === 1,
      60_000,
    );
    expect(seen).toEqual([['vareon/hosts/a/logs', { n: 1 }]]);
  });

  test('hears a topic that was left a moment before, by whoever subscribed last, and through whichever connection', async () => {
    const [platform, speaker] = [await connect('platform'), await connect('platform')];
    const topic = 'vareon/hosts/left/logs';
    for (let round = 0; round < 20; round++) {
      const heard: unknown[] = [];
      const first = await platform.subscribe(topic, () => heard.push('left'));
      const closing = first.close();
      // The second of two that come at once has the subscription of the first.
      const both = await Promise.all(
        ['one', 'two'].map((name) => platform.subscribe(topic, () => heard.push(name))),
      );
      await speaker.publishAcknowledged(topic, { round });
      await until(
        async () => heard,
        ({ length }) => length === 2,
        60_000,
      );
      expect(heard).toEqual(['one', 'two']);
      await Promise.all([closing, ...both.map((one) => one.close())]);
    }
  });

  test('refuses a wrong password, and a name that is not the client’s', async () => {
    await expect(connect('platform', { password: 'wrong', withinMs: REFUSED_AFTER_MS })).rejects.toThrow();
    const impostor = mqtt.connect(`mqtt://127.0.0.1:${broker.port}`, {
      clientId: 'platform.1',
      username: 'host-a',
      password: passwordOf('host-a'),
      protocolVersion: 4,
      reconnectPeriod: 0,
    });
    await expect(new Promise((_resolve, reject) => impostor.once('error', reject))).rejects.toThrow(
      /Bad User/i,
    );
    impostor.end(true);
  });

  test('lets a host speak and listen under its own name only', async () => {
    const platform = await connect('platform');
    const host = await connect('host-b');
    const seen: unknown[] = [];
    const heard: unknown[] = [];
    await platform.subscribe('vareon/runs/x', (message) => seen.push(message));
    await platform.subscribe('vareon/hosts/a/status', (message) => seen.push(message));
    await host.subscribe('vareon/hosts/a/log-requests', (message) => heard.push(message)).catch(() => {});
    // A forbidden publication ends the connection; the bus comes back by itself.
    host.publish('vareon/runs/x', { forged: true });
    host.publish('vareon/hosts/a/status', { forged: true });
    platform.publish('vareon/hosts/a/log-requests', { secret: true });
    const own = until(
      async () => {
        host.publish('vareon/hosts/b/status', { own: true });
        return seen;
      },
      (messages) => messages.length > 0,
      60_000,
    );
    await platform.subscribe('vareon/hosts/b/status', (message) => seen.push(message));
    await own;
    expect(new Set(seen.map((message) => JSON.stringify(message)))).toEqual(new Set(['{"own":true}']));
    expect(heard).toEqual([]);
  });

  test('tells of a client that is gone by its last will, to later subscribers too', async () => {
    const platform = await connect('platform');
    const seen: unknown[] = [];
    await platform.subscribe('vareon/hosts/c/status', (message) => seen.push(message));
    const url = new URL(`mqtt://127.0.0.1:${broker.port}`);
    const dying = mqtt.connect(url.href, {
      clientId: 'host-c.1',
      username: 'host-c',
      password: passwordOf('host-c'),
      protocolVersion: 4,
      will: {
        topic: 'vareon/hosts/c/status',
        payload: Buffer.from('{"status":"offline"}'),
        qos: 1,
        retain: true,
      },
    });
    await new Promise((resolve) => dying.once('connect', resolve));
    dying.stream.destroy();
    dying.end(true);
    await until(
      async () => seen,
      ({ length }) => length > 0,
      60_000,
    );
    const later = await connect('platform');
    await later.subscribe('vareon/hosts/c/status', (message) => seen.push(message));
    await until(
      async () => seen,
      ({ length }) => length > 1,
      60_000,
    );
    expect(seen).toEqual([{ status: 'offline' }, { status: 'offline' }]);
  });

  test('lets a host in by its own credential only, and disconnects one that is deleted', async () => {
    const wrong = [passwordOf('host-a'), busPassword(key, 'host-d')];
    const refused = await Promise.allSettled(
      wrong.map((password) => connect('host-d', { password, withinMs: REFUSED_AFTER_MS })),
    );
    expect(refused.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    const host = await connect('host-d');
    deleted.add('d');
    const isConnected = () =>
      host.check().then(
        () => true,
        () => false,
      );
    await until(isConnected, (connected) => !connected, 60_000);
  });

  test('goes on when a message breaks its handler', async () => {
    const platform = await connect('platform');
    const seen: unknown[] = [];
    await platform.subscribe('vareon/runs/y', (message) => {
      if (message === null) throw new Error('not what was expected');
      seen.push(message);
    });
    const sender = await connect('platform');
    await sender.publishAcknowledged('vareon/runs/y', null as unknown as object);
    await sender.publishAcknowledged('vareon/runs/y', { n: 1 });
    await until(
      async () => seen,
      ({ length }) => length > 0,
      60_000,
    );
    expect(seen).toEqual([{ n: 1 }]);
  });

  test('drops a subscriber that does not read, and goes on for the others', async () => {
    const platform = await connect('platform');
    const reader = await connect('platform');
    // A raw MQTT client that subscribes and then never reads.
    const frozen = createConnection(broker.port, '127.0.0.1');
    const text = (value: string) =>
      Buffer.concat([Buffer.from([value.length >> 8, value.length & 255]), Buffer.from(value)]);
    const packet = (type: number, body: Buffer) => Buffer.concat([Buffer.from([type, body.length]), body]);
    const connectBody = Buffer.concat([
      text('MQTT'),
      Buffer.from([4, 0b1100_0010, 0, 60]),
      ...[text('platform.frozen'), text('platform'), text(busPassword(key, 'platform'))],
    ]);
    frozen.write(packet(0x10, connectBody));
    frozen.write(packet(0x82, Buffer.concat([Buffer.from([0, 1]), text('vareon/flood'), Buffer.from([0])])));
    await new Promise((resolve) => frozen.once('data', resolve));
    frozen.pause();
    const closed = new Promise<boolean>((resolve) => frozen.once('close', () => resolve(true)));
    let received = 0;
    await reader.subscribe('vareon/flood', () => {
      received++;
    });
    const load = 'x'.repeat(100_000);
    for (let round = 0; round < 20; round++) {
      for (let n = 0; n < 10; n++) platform.publish('vareon/flood', { load });
      await until(
        async () => received,
        (count) => count >= (round + 1) * 10,
        60_000,
      );
    }
    expect(received).toBe(200);
    frozen.resume();
    await expect(closed).resolves.toBe(true);
  });
});
