import type { HostCode } from '../activities/host/neosyntis/code.ts';
import { topics } from '../domain/names.ts';
import type { LogRange } from '../domain/neosyntis/code.ts';
import type { Bus } from '../drivers/bus/port.ts';
import type { Logger } from '../logs.ts';

/** Sends again what the platform asks for: the bus loses, the host's spool does not. */
export async function serveLogRequests(
  bus: Bus,
  name: string,
  activities: Pick<HostCode, 'readLog'>,
  log: Logger,
): Promise<void> {
  await bus.subscribe(topics.hostLogRequests(name), (message) => {
    const range = message as unknown as LogRange; // only the platform may publish on this topic
    activities.readLog(range).then(
      (chunks) => {
        for (const chunk of chunks) bus.publish(topics.hostLogs(name), chunk);
      },
      (error: unknown) => log.warn({ err: error, runId: range.runId }, 'a range of output could not be read'),
    );
  });
}
