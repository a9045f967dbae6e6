import { createServer, type Socket } from 'node:net';
import { Aedes } from 'aedes';
import mqtt from 'mqtt';
import { createFiles } from './files.ts';
import { createFates, createOven, type OvenOptions, obeyOven, type RunningOven } from './oven.ts';

const TELEMETRY_MS = 100;

/**
 * An oven on a broker: `<base>/command` and `<base>/answer` (an `id` of a command is repeated), `<base>/telemetry/…`,
 * and `<base>/availability`, retained, which its last will turns to `offline`. It takes files in chunks, and brings its
 * broker, unless one is named.
 */
export async function startMqttOven({
  faults,
  record,
  port,
  base,
  broker,
  login,
  speed,
}: OvenOptions): Promise<RunningOven> {
  const oven = createOven(speed, record);
  const fates = createFates(faults);
  const files = createFiles(faults, record);
  const own = broker === undefined ? await startBroker(port, login) : undefined;
  const [username, password] = login?.split(':') ?? [];
  const url = broker ?? `mqtt://127.0.0.1:${own?.port}`;
  const client = await mqtt.connectAsync(url, {
    ...(username === undefined ? {} : { username, password: password ?? '' }),
    clientId: 'oven',
    reconnectPeriod: 100,
    will: { topic: `${base}/availability`, payload: Buffer.from('offline'), qos: 1, retain: true },
  });
  const hello = () => client.publish(`${base}/availability`, 'online', { qos: 1, retain: true });
  client.on('connect', hello);
  hello();
  const cut = (): void => (own ? own.throwOut() : void client.stream.destroy());

  client.on('message', (_topic, payload) => {
    record.bytes(payload.length);
    record.received(payload.toString('utf8'));
    const fate = fates.ofCommand();
    if (fate === 'lost') return;
    const command = parse(payload.toString('utf8'));
    const done = () => files.take(command ?? {}) ?? obeyOven(oven, command ?? {}, record);
    const said = fate === 'refused' ? { ok: false, error: 'not now' } : done();
    const answer = command?.id === undefined ? said : { ...said, id: command.id };
    fates.ofAnswer((how) => {
      if (how === 'cut') cut();
      else if (how === 'noise')
        client.publish(`${base}/answer`, Buffer.from([0xff, 0xfe, 0x00, 0x7b]), { qos: 1 });
      else if (how === 'sent') client.publish(`${base}/answer`, JSON.stringify(answer), { qos: 1 });
    });
  });
  await client.subscribeAsync(`${base}/command`, { qos: 1 });
  setInterval(() => {
    const { temperature, target } = oven.state;
    if (client.connected) client.publish(`${base}/telemetry/bed`, JSON.stringify({ temperature, target }));
  }, TELEMETRY_MS);
  return {
    address: `${url}/${base}`,
    /** `availability offline`: a message on a topic below the base, retained. */
    say(text) {
      const [topic = '', ...rest] = text.split(' ');
      client.publish(`${base}/${topic}`, rest.join(' '), { qos: 1, retain: true });
    },
    disconnect: cut,
    pause: fates.pause,
  };
}

function parse(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined; // any keys
  } catch {
    return undefined;
  }
}

async function startBroker(port: number, login: string | undefined) {
  const aedes = await Aedes.createBroker();
  if (login !== undefined)
    aedes.authenticate = (_client, username, password, done) =>
      done(null, `${username}:${password}` === login);
  // What real brokers do with topics that nobody may read is to say so.
  aedes.authorizeSubscribe = (_client, subscription, done) =>
    done(null, subscription.topic.startsWith('secret/') ? null : subscription);
  const others = new Set<Socket>();
  const server = createServer({ noDelay: true }, (socket) => {
    const client = aedes.handle(socket);
    socket.on('error', () => {}); // its end is what counts
    socket.on('close', () => others.delete(socket));
    aedes.on('client', (ready) => void (ready === client && ready.id !== 'oven' && others.add(socket)));
  });
  await new Promise<void>((resolve, reject) => {
    server.on('error', reject);
    server.listen(port, '127.0.0.1', resolve);
  });
  const at = server.address();
  if (at === null || typeof at === 'string') throw new Error('a TCP server has a port');
  return { port: at.port, throwOut: () => others.forEach((socket) => void socket.destroy()) };
}
