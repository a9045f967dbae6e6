import { randomUUID } from 'node:crypto';
import { Type } from 'typebox';
import { Value } from 'typebox/value';
import type { HostRepository } from '../../db/system/hosts.ts';
import { AppError } from '../../domain/errors.ts';
import { topics } from '../../domain/names.ts';
import { PortsAnswer, type PortsRequest, SerialPort } from '../../domain/system/host-ports.ts';
import { HostParams } from '../../domain/system/hosts.ts';
import type { Bus } from '../../drivers/bus/port.ts';
import { ok, type Route, route } from '../http/route.ts';

/** Looking at all ports takes a host a moment. */
const ANSWER_WITHIN_MS = 5_000;

/** The serial ports of worker hosts, as they are now: asked of the host, and kept nowhere. */
export function createHostPortRoutes({
  hosts,
  bus,
}: {
  hosts: Pick<HostRepository, 'list'>;
  bus: Bus;
}): Route[] {
  const waiting = new Map<string, (answer: PortsAnswer) => void>();
  let listening: Promise<unknown> | undefined;

  const listen = (): Promise<unknown> => {
    listening ??= bus
      .subscribe(topics.anyHostPorts, (message) => {
        if (Value.Check(PortsAnswer, message)) waiting.get(message.request)?.(message);
      })
      .catch((error: unknown) => {
        listening = undefined;
        throw error;
      });
    return listening;
  };

  async function ask(host: string): Promise<PortsAnswer | undefined> {
    await listen();
    const asked: PortsRequest = { request: randomUUID() };
    const { promise, resolve } = Promise.withResolvers<PortsAnswer | undefined>();
    waiting.set(asked.request, resolve);
    const timer = setTimeout(() => resolve(undefined), ANSWER_WITHIN_MS);
    try {
      bus.publish(topics.hostPortRequests(host), asked);
      return await promise;
    } finally {
      clearTimeout(timer);
      waiting.delete(asked.request);
    }
  }

  return [
    route({
      method: 'GET',
      path: '/api/hosts/{name}/ports',
      access: 'myntrix:devices:write',
      summary: 'List the serial ports of a worker host',
      description:
        'As they are now; for a connectionString of a device. 503 while the host is away, or when its system cannot list them.',
      params: HostParams,
      answers: { 200: { description: 'by their paths', schema: Type.Array(SerialPort) } },
      errors: ['not_found', 'unavailable', 'timeout'],
      async handler({ params: { name } }) {
        const host = (await hosts.list()).find((each) => each.name === name);
        if (!host) throw new AppError('not_found', `There is no host "${name}".`);
        if (host.status !== 'online')
          throw new AppError(
            'unavailable',
            `Host "${name}" is ${host.status}: its ports cannot be asked for.`,
            {
              retryAfterSeconds: 5,
            },
          );
        const answer = await ask(name);
        if (!answer) throw new AppError('timeout', `Host "${name}" did not say its ports within 5 s.`);
        if (answer.problem !== undefined)
          throw new AppError('unavailable', `Host "${name}": ${answer.problem}`);
        return ok(answer.ports);
      },
    }),
  ];
}
