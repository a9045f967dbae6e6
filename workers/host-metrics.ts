import type { Config } from '../config.ts';
import { topics } from '../domain/names.ts';
import { mockFlag, type SystemFunction, systemFunctions } from '../domain/system/access.ts';
import type { Bus } from '../drivers/bus/port.ts';
import { createSystemAccess } from '../drivers/system/access.ts';
import { createSystemMetrics, type SystemMetricsSampler } from '../drivers/system/metrics.ts';
import { machine } from '../drivers/system/sources/machine.ts';
import type { Logger } from '../logs.ts';

/** What this host tells of its machine, with the flags of its environment. */
export function createHostMetrics(config: Config, log: Logger) {
  const mocked = new Set<SystemFunction>(systemFunctions.filter((name) => config[mockFlag(name)]));
  const access = createSystemAccess({ mocked, log });
  return {
    access,
    metrics: createSystemMetrics({
      sources: machine,
      access,
      intervalSeconds: config.VAREON_METRICS_SECONDS,
    }),
  };
}

/** Sends a sample after each connection and then at its pace; what finds no connection is lost. */
export function sendMetrics(
  { bus, name, generation }: { bus: Bus; name: string; generation: number },
  { sample, intervalSeconds }: SystemMetricsSampler,
  log: Logger,
): { stop(): void } {
  let stopped = false;
  let busy = false;
  async function send(): Promise<void> {
    if (busy || stopped) return;
    busy = true;
    try {
      const message = { generation, ...(await sample()) };
      if (!stopped) bus.publish(topics.hostMetrics(name), message);
    } catch (error) {
      log.warn({ err: error }, 'no sample of this machine');
    } finally {
      busy = false;
    }
  }
  bus.onConnect(() => void send());
  const timer = setInterval(() => void bus.check().then(send, () => {}), intervalSeconds * 1_000);
  return {
    stop() {
      stopped = true;
      clearInterval(timer);
    },
  };
}
