import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import mqtt from 'mqtt';
import { topics } from '../../domain/names.ts';
import { busClientId } from '../../drivers/bus/credentials.ts';
import { makeSecrets } from '../../production/secrets.ts';
import { findMosquitto, type Mosquitto, startMosquitto } from '../topology/mosquitto.ts';

const program = findMosquitto();

/** Debian: apt-get install mosquitto. What the embedded broker allows is tried in broker.test.ts. */
(program ? describe : describe.skip)('Mosquitto, with the files that docker-compose.yml mounts,', () => {
  const folder = mkdtempSync(join(tmpdir(), 'vareon-mosquitto-'));
  const secrets = join(folder, 'secrets');
  const open: mqtt.MqttClient[] = [];
  let broker: Mosquitto;
  beforeAll(async () => {
    makeSecrets(secrets, ['lathe', 'mill']);
    broker = await startMosquitto({ program: program ?? '', secrets, folder });
  });
  afterAll(async () => {
    for (const client of open) client.end(true);
    await broker?.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  const passwordOf = (username: string) => readFileSync(join(secrets, `bus-${username}.password`), 'utf8');

  function connect(username: string, options: mqtt.IClientOptions = {}): Promise<mqtt.MqttClient> {
    const isPlatform = options.port ? false : username === 'platform';
    const client = mqtt.connect({
      host: '127.0.0.1',
      port: isPlatform ? broker.platformPort : broker.hostsPort,
      protocolVersion: 4,
      username,
      password: passwordOf(username),
      clientId: busClientId(username, 'test'),
      reconnectPeriod: 0,
      ...options,
    });
    open.push(client);
    return new Promise((resolve, reject) => {
      client.once('connect', () => resolve(client));
      client.once('error', reject);
    });
  }

  /** Everything that a client hears from now on, up to a message that it is allowed to hear for certain. */
  async function heardBy(client: mqtt.MqttClient, filter: string) {
    const heard: string[] = [];
    client.on('message', (topic, payload) => heard.push(`${topic} ${payload}`));
    await client.subscribeAsync(filter, { qos: 1 }).catch(() => {}); // denied: then it hears nothing
    return heard;
  }
  const settled = async (heard: string[], last: string): Promise<string[]> => {
    const deadline = Date.now() + 60_000;
    while (!heard.some((message) => message.endsWith(last)) && Date.now() < deadline)
      await new Promise((next) => setTimeout(next, 10));
    return heard;
  };

  test('lets a host say what hosts say on its own topics, and nothing on any other', async () => {
    const platform = await connect('platform');
    const heard = await heardBy(platform, 'vareon/#');
    const lathe = await connect('host-lathe');
    for (const topic of [
      topics.hostLogs('mill'),
      topics.hostStatus('mill'),
      topics.hostLogRequests('mill'),
      topics.hostLogRequests('lathe'),
      'vareon/hosts/lathe/else',
      topics.run('0190-run'),
      topics.events,
    ])
      await lathe.publishAsync(topic, 'forged', { qos: 1 }); // a denied message is acknowledged, and dropped
    await lathe.publishAsync(topics.hostLogs('lathe'), 'own', { qos: 1 });
    await lathe.publishAsync(topics.hostStatus('lathe'), 'last', { qos: 1 });
    expect(await settled(heard, 'last')).toEqual([
      `${topics.hostLogs('lathe')} own`,
      `${topics.hostStatus('lathe')} last`,
    ]);
  });

  test('lets a host hear what is meant for it, and nothing else, by no wildcard', async () => {
    const lathe = await connect('host-lathe');
    const heard = await heardBy(lathe, topics.hostLogRequests('lathe'));
    for (const filter of ['vareon/#', '#', topics.anyHostLogs, topics.hostLogRequests('mill'), topics.events])
      await lathe.subscribeAsync(filter, { qos: 1 }).catch(() => {});
    const platform = await connect('platform');
    await platform.publishAsync(topics.hostLogRequests('mill'), 'secret', { qos: 1 });
    await platform.publishAsync(topics.hostLogs('mill'), 'secret', { qos: 1 });
    await platform.publishAsync(topics.events, 'secret', { qos: 1 });
    await platform.publishAsync(topics.hostLogRequests('lathe'), 'last', { qos: 1 });
    const messages = await settled(heard, 'last');
    expect(new Set(messages)).toEqual(new Set([`${topics.hostLogRequests('lathe')} last`]));
  });

  test('refuses who has no login, a wrong password, and the login of the other listener', async () => {
    const password = 'wrong';
    await expect(connect('host-lathe', { password })).rejects.toThrow();
    await expect(connect('platform', { port: broker.hostsPort })).rejects.toThrow();
    await expect(connect('host-lathe', { port: broker.platformPort })).rejects.toThrow();
    const anonymous = mqtt.connect({ host: '127.0.0.1', port: broker.platformPort, reconnectPeriod: 0 });
    open.push(anonymous);
    await expect(new Promise((_resolve, reject) => anonymous.once('error', reject))).rejects.toThrow(
      /authori/i,
    );
  });

  test('does not let a host end the connection of another client by its id', async () => {
    const platform = await connect('platform', { clientId: 'platform.api-1' });
    const mill = await connect('host-mill');
    await connect('host-lathe', { clientId: 'platform.api-1' });
    await connect('host-lathe', { clientId: 'host-mill' });
    await mill.publishAsync(topics.hostLogs('mill'), 'still here', { qos: 1 });
    await platform.publishAsync(topics.events, 'still here', { qos: 1 });
    expect([platform.connected, mill.connected]).toEqual([true, true]);
  });

  test('knows a new host after a signal, and keeps the connections that it has', async () => {
    const mill = await connect('host-mill');
    expect(makeSecrets(secrets, ['drill'])).toEqual(['drill', 'lathe', 'mill']);
    await expect(connect('host-drill')).rejects.toThrow();
    broker.kill('SIGHUP');
    let drill: mqtt.MqttClient | undefined;
    for (const deadline = Date.now() + 60_000; !drill && Date.now() < deadline; )
      drill = await connect('host-drill').catch(() => undefined);
    const platform = await connect('platform');
    const heard = await heardBy(platform, topics.anyHostLogs);
    await drill?.publishAsync(topics.hostLogs('mill'), 'forged', { qos: 1 });
    await drill?.publishAsync(topics.hostLogs('drill'), 'last', { qos: 1 });
    expect(await settled(heard, 'last')).toEqual([`${topics.hostLogs('drill')} last`]);
    expect(mill.connected).toBe(true);
  });
});
