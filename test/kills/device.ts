import { until } from '../support/client.ts';
import type { Platform } from './platform.ts';

// biome-ignore lint/suspicious/noExplicitAny: looks into answers of many shapes
type Seen = Record<string, any>;

const WITHIN_MS = 120_000;
/** Nothing that a test does before the device answers may take longer: that answer would be `unknown` for good. */
const SLOW_MS = 240_000;

/** A connected device of a platform whose processes are killed. */
export async function deviceOf(platform: Platform, connectionString: string) {
  const made = await platform.askPatiently('POST', '/api/myntrix/devices', {
    body: { name: 'printer', connectionString, configuration: { reconnect: { initialMs: 100, maxMs: 500 } } },
  });
  const path = `/api/myntrix/devices/${made.body.id}`;
  const seen = async (rest = ''): Promise<Seen> => {
    const answer = await platform.ask('GET', `${path}${rest}`);
    return answer?.status === 200 ? answer.body : {};
  };
  const commands = async (): Promise<Seen[]> => {
    const found = await seen('/commands');
    return Array.isArray(found) ? found : [];
  };
  const give = (command: string, timeoutMs = 30_000) =>
    platform.ask('POST', `${path}/command`, { body: { command, timeout_ms: timeoutMs } });
  const untilDevice = (done: (device: Seen) => unknown): Promise<Seen> =>
    until(seen, (device) => Boolean(done(device)), WITHIN_MS);
  /** Repeats it until Temporal takes it. */
  async function order(action: string, status: string): Promise<void> {
    await until(
      async () => (await platform.ask('POST', `${path}/${action}`))?.status,
      (answer) => answer === 202,
      WITHIN_MS,
    );
    await untilDevice((device) => device.status === status);
  }
  await order('connect', 'connected');
  return {
    path,
    give,
    /** Given, recorded and not answered yet. @returns its id, and its answer, if whoever was asked lives to give it */
    async giveSlowly(command: string): Promise<[id: string, answer: ReturnType<typeof give>]> {
      const isRefused = (status: number | undefined) => status === 409 || status === 503;
      // Right after a kill it may be refused: then nothing was sent, and it is given again.
      let [answer, hasRefused] = [give(command, SLOW_MS), false];
      const look = (given: typeof answer) =>
        given.then((one) => {
          hasRefused = isRefused(one?.status);
        });
      void look(answer);
      const found = await until(
        async () => {
          if (hasRefused) {
            hasRefused = false;
            answer = give(command, SLOW_MS);
            void look(answer);
          }
          return (await commands()).find((one) => one.command === command);
        },
        (one) => one !== undefined,
        WITHIN_MS,
      );
      return [found?.id, answer];
    },
    until: untilDevice,
    untilCommand: (id: string, done: (command: Seen) => unknown): Promise<Seen> =>
      until(
        async () => (await commands()).find((one) => one.id === id) ?? {},
        (command) => Boolean(done(command)),
        WITHIN_MS,
      ),
    disconnect: () => order('disconnect', 'disconnected'),
  };
}
