import { topics } from '../domain/names.ts';
import { PORTS_LIMIT, type PortsAnswer, type PortsRequest } from '../domain/system/host-ports.ts';
import type { Bus } from '../drivers/bus/port.ts';
import { listSerialPorts } from '../drivers/devices/transports/serial-ports.ts';

/** Says which serial ports this machine has, when the platform asks. */
export async function servePortRequests(bus: Bus, name: string): Promise<void> {
  await bus.subscribe(topics.hostPortRequests(name), (message) => {
    const { request } = message as unknown as PortsRequest; // only the platform may publish on this topic
    void answer(request).then((said) => bus.publish(topics.hostPorts(name), said));
  });
}

async function answer(request: string): Promise<PortsAnswer> {
  try {
    const ports = await listSerialPorts();
    return { request, ports: ports.sort((a, b) => a.path.localeCompare(b.path)).slice(0, PORTS_LIMIT) };
  } catch (error) {
    return {
      request,
      ports: [],
      problem: (error instanceof Error ? error.message : String(error)).slice(0, 1_000),
    };
  }
}
