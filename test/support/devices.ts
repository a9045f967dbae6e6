import { until } from './client.ts';
import { expectStatus, type TestUser, type World } from './world.ts';

// biome-ignore lint/suspicious/noExplicitAny: answers of many shapes
export type Seen = Record<string, any>;

export const devicesPath = '/api/myntrix/devices';
/** Connects again as fast as it may. */
export const eager = { reconnect: { initialMs: 50, maxMs: 200 } };

/** Devices as a user has them. */
export function devicesOf(world: World, user: TestUser) {
  const ask = (method: string, rest: string, body?: object) =>
    world.api(method, `${devicesPath}${rest}`, { token: user.token, ...(body ? { body } : {}) });
  const get = async (id: string): Promise<Seen> => (await ask('GET', `/${id}`)).body;
  return {
    ask,
    get,
    make: (connectionString: string, configuration: object = {}, more: object = {}): Promise<Seen> =>
      expectStatus(201, ask('POST', '', { name: 'test', connectionString, configuration, ...more })),
    put: (id: string, body: object) => ask('PUT', `/${id}`, body),
    untilDevice: (id: string, done: (device: Seen) => boolean): Promise<Seen> =>
      until(() => get(id), done, 60_000),
    connect: (id: string, wait = 60): Promise<Seen> =>
      expectStatus(202, ask('POST', `/${id}/connect?wait=${wait}`)),
    disconnect: (id: string): Promise<Seen> => expectStatus(202, ask('POST', `/${id}/disconnect?wait=60`)),
    /** @param timeoutMs until it is answered */
    command: (id: string, command: string, timeoutMs = 60_000): Promise<Seen> =>
      expectStatus(200, ask('POST', `/${id}/command`, { command, timeout_ms: timeoutMs })),
    commands: async (id: string): Promise<Seen[]> => (await ask('GET', `/${id}/commands?limit=200`)).body,
  };
}
