import { Agent, FormData, fetch } from 'undici';
import { type RunningSimulator, startSimulator } from '../simulators/start.ts';
import { until } from '../support/client.ts';
import { expectStatus, type TestUser, type World } from '../support/world.ts';

// biome-ignore lint/suspicious/noExplicitAny: answers of many shapes
export type Answer = Record<string, any>;

export const isOver = ({ status }: Answer) => ['completed', 'failed', 'cancelled'].includes(status);

export interface Sent {
  kind?: string;
  run?: boolean;
  options?: object;
  name?: string;
  key?: string;
}

/** Devices that are simulated, and files for them, as their users see it. */
export function createDeviceRig(world: World, user: () => TestUser) {
  const dispatcher = new Agent();
  const simulators: RunningSimulator[] = [];
  const devices: string[] = [];
  const path = '/api/myntrix/devices';
  const ask = (method: string, rest: string, body?: object) =>
    world.api(method, rest, { token: user().token, ...(body ? { body } : {}) });
  const job = async (id: string): Promise<Answer> => (await ask('GET', `/api/myntrix/jobs/${id}`)).body;

  async function send(
    deviceId: string,
    content: string | Uint8Array<ArrayBuffer> | undefined,
    sent: Sent = {},
  ) {
    const form = new FormData();
    if (sent.kind !== undefined) form.set('kind', sent.kind);
    if (sent.options !== undefined) form.set('options', JSON.stringify(sent.options));
    if (content !== undefined) form.set('file', new Blob([content]), sent.name ?? 'part.gcode');
    if (sent.run !== undefined) form.set('run', String(sent.run)); // a field may come after the file
    const answer = await fetch(new URL(`${path}/${deviceId}/upload`, world.url), {
      method: 'POST',
      headers: {
        authorization: `Bearer ${user().token}`,
        ...(sent.key === undefined ? {} : { 'idempotency-key': sent.key }),
      },
      body: form,
      dispatcher,
    });
    return { status: answer.status, body: (await answer.json()) as Answer };
  }

  return {
    ask,
    job,
    send,
    untilJob: (id: string, done: (job: Answer) => boolean): Promise<Answer> =>
      until(() => job(id), done, 60_000),
    /** Sends what must be taken. @returns the job's id */
    async sent(deviceId: string, content: string | Uint8Array<ArrayBuffer>, how: Sent = {}): Promise<string> {
      const { status, body } = await send(deviceId, content, how);
      if (status !== 202) throw new Error(`upload: ${status} ${JSON.stringify(body)}`);
      return body.job_id;
    },
    async simulate(...args: string[]): Promise<RunningSimulator> {
      const simulator = await startSimulator(args);
      simulators.push(simulator);
      return simulator;
    },
    /** A device that is connected. */
    async connected(
      connectionString: string,
      configuration: object = {},
      more: object = {},
    ): Promise<string> {
      const eager = { reconnect: { initialMs: 50, maxMs: 200 }, reportSeconds: 0 };
      const { id } = await expectStatus(
        201,
        ask('POST', path, {
          name: 'printer',
          connectionString,
          configuration: { ...eager, ...configuration },
          ...more,
        }),
      );
      devices.push(id);
      const { status, statusReason } = await expectStatus(202, ask('POST', `${path}/${id}/connect?wait=60`));
      if (status !== 'connected') throw new Error(`${connectionString} is ${status}: ${statusReason}`);
      return id;
    },
    async close(): Promise<void> {
      // A port that is gone is opened again as soon as another simulator has its number. One whose host is gone never is.
      await Promise.all(devices.map((id) => ask('POST', `${path}/${id}/disconnect?wait=10`)));
      for (const one of simulators) await one.stop();
      await dispatcher.close();
    },
  };
}
