import { timingSafeEqual } from 'node:crypto';
import { createServer, type Server, type Socket } from 'node:net';
import { Aedes, type AuthenticateError, type Client } from 'aedes';
import { createRoom } from '../../domain/room.ts';
import { busPassword } from './credentials.ts';
import { limitPackets } from './packet-limit.ts';

/** A client whose unsent messages pass this is dropped: aedes would otherwise stop for everybody. */
const BACKLOG_BYTES = 4 * 1024 * 1024;
const MESSAGE_BYTES = 1024 * 1024;
/** A message with its topic; and the login of somebody who has yet to be known, with a will. */
const PACKET_BYTES = MESSAGE_BYTES + 128 * 1024;
const LOGIN_BYTES = 64 * 1024;
/** All come from this machine; those that have not logged in make room for others. */
const CONNECTIONS = { total: 2_000, perAddress: 2_000, idlePerAddress: 200 };

export interface Broker {
  port: number;
  close(): Promise<void>;
}

/** How soon a host that was deleted is disconnected. */
const CHECK_EVERY_MS = 2_000;

/**
 * The embedded MQTT broker for one machine, on loopback. Users are `platform`, whose password is derived from the
 * key, and `host-<name>`, whose password is the host's own credential.
 */
export async function startBroker(options: {
  port: number;
  key: Buffer;
  /** The host that a credential belongs to, if it counts; asked again every few seconds of who is connected. */
  authenticateHost(credential: string): Promise<string | undefined>;
  onError(error: Error): void;
}): Promise<Broker> {
  const aedes = await Aedes.createBroker({ drainTimeout: 2_000, concurrency: 100, connectTimeout: 5_000 });
  const room = createRoom<Client['conn']>(CONNECTIONS);
  const users = new WeakMap<Client, string>();
  const hosts = new Map<Client, string>();

  async function isRight(name: string, password: string): Promise<boolean> {
    if (name === 'platform') return sameText(password, busPassword(options.key, name));
    const host = await options.authenticateHost(password);
    return host !== undefined && name === `host-${host}`;
  }
  aedes.authenticate = (client, username, password, done) => {
    const name = username ?? '';
    const secret = String(password ?? '');
    const refuse = (message: string, returnCode: number) =>
      done(Object.assign(new Error(message), { returnCode }) as AuthenticateError, false);
    // Return codes of MQTT 3.1.1, 3.2.2.3: 4 is a bad user name or password, 3 is a server that cannot tell now.
    if (!client.id.startsWith(`${name}.`)) return refuse('wrong user or password', 4);
    isRight(name, secret).then(
      (right) => {
        if (!right) return refuse('wrong user or password', 4);
        users.set(client, name);
        room.busy(client.conn);
        if (name !== 'platform') hosts.set(client, secret);
        done(null, true);
      },
      (error: Error) => {
        options.onError(error);
        refuse('credentials cannot be checked now', 3);
      },
    );
  };
  aedes.on('clientDisconnect', (client) => hosts.delete(client));

  /** Whoever lost their credential since they connected is disconnected; nobody is while that cannot be told. */
  async function checkHosts(): Promise<void> {
    for (const [client, credential] of hosts)
      if (!(await isRight(users.get(client) ?? '', credential))) {
        hosts.delete(client);
        client.close();
      }
  }
  const checking = setInterval(() => void checkHosts().catch(options.onError), CHECK_EVERY_MS);

  aedes.authorizePublish = (client, packet, done) => {
    const allowed = client === null || mayPublish(users.get(client), packet.topic, packet.retain);
    const small = Buffer.byteLength(packet.payload) <= MESSAGE_BYTES;
    done(allowed && small ? null : new Error(`may not publish on ${packet.topic}`));
  };
  aedes.authorizeSubscribe = (client, subscription, done) => {
    done(null, client !== null && maySubscribe(users.get(client), subscription.topic) ? subscription : null);
  };
  aedes.on('clientError', (_client, error) => options.onError(error));
  aedes.on('connectionError', (_client, error) => options.onError(error));

  const server = createServer({ noDelay: true }, (socket) => {
    dropWhenSlow(socket);
    socket.once('close', () => room.leave(socket));
    room.enter(socket, socket.remoteAddress ?? '')?.destroy();
    if (socket.destroyed) return;
    const client = aedes.handle(socket);
    limitPackets(socket, () => (users.has(client) ? PACKET_BYTES : LOGIN_BYTES));
  });
  const port = await listen(server, options.port);
  return {
    port,
    async close() {
      clearInterval(checking);
      const closed = new Promise((resolve) => server.close(resolve));
      await new Promise<void>((resolve) => aedes.close(() => resolve()));
      await closed;
    },
  };
}

/** The broker keeps retained messages in memory: of a host only the one that says how it is. */
const mayPublish = (user: string | undefined, topic: string, retain: boolean): boolean => {
  if (user === 'platform') return true;
  const own = `vareon/hosts/${user?.slice('host-'.length)}/`;
  return user !== undefined && topic.startsWith(own) && (!retain || topic === `${own}status`);
};

const maySubscribe = (user: string | undefined, topic: string) =>
  user === 'platform' ||
  (user !== undefined &&
    topic.startsWith(`vareon/hosts/${user.slice('host-'.length)}/`) &&
    !/[#+]/.test(topic));

function sameText(a: string, b: string): boolean {
  const left = Buffer.from(a);
  const right = Buffer.from(b);
  return left.length === right.length && timingSafeEqual(left, right);
}

/** A write that would let the backlog grow past the limit ends the connection, and reports success to aedes. */
function dropWhenSlow(socket: Socket): void {
  const write = socket.write.bind(socket) as (...args: unknown[]) => boolean;
  socket.write = (...args: unknown[]) => {
    if (socket.destroyed) return true;
    if (socket.writableLength > BACKLOG_BYTES) {
      socket.destroy();
      return true;
    }
    return write(...args);
  };
}

function listen(server: Server, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', () => {
      server.off('error', reject);
      const address = server.address();
      resolve(typeof address === 'object' && address ? address.port : port);
    });
  });
}
