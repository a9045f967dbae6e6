import type { Socket } from 'node:net';
import mqtt from 'mqtt';
import type { Json } from '../../domain/wire.ts';
import type { Bus } from './port.ts';

export interface BusOptions {
  url: string;
  username?: string;
  password?: string;
  clientId: string;
  /** Published by the broker, retained, when this client's connection is lost. */
  will?: { topic: string; message: object };
  onError(error: Error): void;
}

type Handler = (message: Json, topic: string) => void;

/**
 * The bus over MQTT 3.1.1. It connects in the background, reconnects by itself, and subscribes again then.
 */
export function connectBus(options: BusOptions): Bus {
  const handlers = new Map<string, Set<Handler>>();
  /** What the broker was asked last about a topic, while it has not answered. */
  const asked = new Map<string, Promise<void>>();
  const counts = { published: 0, dropped: 0 };
  const client = mqtt.connect(options.url, {
    protocolVersion: 4,
    clientId: options.clientId,
    ...(options.username ? { username: options.username, password: options.password ?? '' } : {}),
    clean: true,
    keepalive: 5,
    reconnectPeriod: 500,
    // The broker may say no for a moment, because who knows the credentials is away.
    reconnectOnConnackError: true,
    connectTimeout: 3_000,
    resubscribe: false, // below, by what is wanted at that moment
    queueQoSZero: false,
    ...(options.will
      ? {
          will: {
            topic: options.will.topic,
            payload: Buffer.from(JSON.stringify(options.will.message)),
            qos: 1 as const,
            retain: true,
          },
        }
      : {}),
  });
  client.on('error', options.onError);
  // Without this, Nagle's algorithm and delayed acknowledgements make each message wait for 20 ms.
  client.on('connect', () => (client.stream as Partial<Socket>).setNoDelay?.(true));
  client.on('message', (topic, payload) => {
    const message = parse(payload);
    if (message === undefined) return;
    for (const [pattern, set] of handlers)
      if (matches(pattern, topic)) for (const handler of set) call(handler, message, topic);
  });

  /** What a message does to its handler is not the other messages' trouble. */
  function call(handler: Handler, message: Json, topic: string): void {
    try {
      handler(message, topic);
    } catch (error) {
      options.onError(new Error(`a message on ${topic} could not be handled`, { cause: error }));
    }
  }

  /**
   * Asks the broker for something about a topic, after what was asked of it before: a subscription that follows on the
   * heels of its end would be lost in aedes, which says that there is one. Without a connection nothing is asked: the
   * next one begins with what is wanted then.
   */
  function inTurn(topic: string, ask: () => Promise<unknown>): Promise<void> {
    const attempt = async (): Promise<void> => {
      if (!client.connected) return;
      await ask().catch((error: unknown) => {
        if (client.connected) throw error;
      });
    };
    const before = asked.get(topic);
    const turn = before ? before.catch(() => {}).then(attempt) : attempt();
    asked.set(topic, turn);
    const forget = () => asked.get(topic) === turn && asked.delete(topic);
    turn.then(forget, forget);
    return turn;
  }
  const subscribeNow = (topic: string): Promise<void> =>
    inTurn(topic, () => client.subscribeAsync(topic, { qos: 0 }));
  client.on('connect', () => {
    for (const topic of handlers.keys()) subscribeNow(topic).catch(options.onError);
  });

  return {
    publish(topic, message) {
      if (!client.connected) {
        counts.dropped++;
        return;
      }
      counts.published++;
      client.publish(topic, JSON.stringify(message), { qos: 0 });
    },
    async publishAcknowledged(topic, message, { retain = false } = {}) {
      await client.publishAsync(topic, JSON.stringify(message), { qos: 1, retain });
    },
    forget(topic) {
      if (client.connected) client.publish(topic, '', { qos: 0, retain: true });
    },
    async subscribe(topic, handler) {
      const set = handlers.get(topic) ?? new Set();
      handlers.set(topic, set);
      set.add(handler);
      const leave = (): boolean => {
        set.delete(handler);
        return set.size === 0 && handlers.get(topic) === set && handlers.delete(topic);
      };
      try {
        await (set.size === 1 ? subscribeNow(topic) : asked.get(topic));
      } catch (error) {
        leave();
        throw error;
      }
      return {
        async close() {
          if (leave()) await inTurn(topic, () => client.unsubscribeAsync(topic));
        },
      };
    },
    async check() {
      if (!client.connected) throw new Error('no connection to the bus');
    },
    onConnect(callback) {
      client.on('connect', callback);
      if (client.connected) callback(); // the first one was before somebody asked
    },
    counts: () => ({ ...counts }),
    async close() {
      await client.endAsync(!client.connected);
    },
  };
}

/** Other clients' messages that are not JSON are not ours to handle. */
function parse(payload: Buffer): Json | undefined {
  try {
    return JSON.parse(payload.toString('utf8')) as Json; // whatever JSON.parse gives is JSON
  } catch {
    return undefined;
  }
}

function matches(pattern: string, topic: string): boolean {
  if (pattern === topic) return true;
  const wanted = pattern.split('/');
  const levels = topic.split('/');
  return (
    wanted.length === levels.length &&
    wanted.every((level, index) => level === '+' || level === levels[index])
  );
}
