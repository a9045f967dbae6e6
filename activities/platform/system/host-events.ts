import { agentEvent } from '../../../db/myntrix/agent-events.ts';
import { agentsOf } from '../../../db/myntrix/agent-reports.ts';
import { deviceEvent } from '../../../db/myntrix/device-events.ts';
import { devicesOf } from '../../../db/myntrix/device-reports.ts';
import type { Database } from '../../../db/orm.ts';
import { appendEvents } from '../../../db/system/events.ts';
import type { HostStatus } from '../../../domain/system/hosts.ts';
import { createNews } from '../../../drivers/bus/news.ts';
import type { Bus } from '../../../drivers/bus/port.ts';

/** Tells those who watch that a host came or went, and its agents and devices with it. */
export async function publishHostChange(
  { database, bus }: { database: Database; bus: Bus },
  name: string,
  status: HostStatus,
): Promise<void> {
  const data = { name, status };
  const stored = await database.em.fork().transactional(async (tx) => {
    const agents = await agentsOf(tx, name);
    const devices = await devicesOf(tx, name);
    return appendEvents(tx, [
      { topic: 'hosts', type: `host.${status}`, source: '/hosts', subject: name, ownerId: null, data },
      ...agents.map((agent) => agentEvent(agent)),
      ...devices.map((device) => deviceEvent(device)),
    ]);
  });
  createNews(bus).events(stored);
}
