import { Value } from 'typebox/value';
import { createLogRequests } from '../activities/platform/neosyntis/log-requests.ts';
import { publishHostChange } from '../activities/platform/system/host-events.ts';
import { createAgentReports } from '../db/myntrix/agent-reports.ts';
import { createDeviceCommandStore } from '../db/myntrix/device-commands.ts';
import { createDeviceJobReports } from '../db/myntrix/device-job-reports.ts';
import { createDeviceReports } from '../db/myntrix/device-reports.ts';
import { createDeviceSettingsRepository } from '../db/myntrix/device-settings.ts';
import { appendLog } from '../db/myntrix/logs.ts';
import { createSystemMetricsRepository } from '../db/myntrix/system-metrics.ts';
import type { Database } from '../db/orm.ts';
import type { HostRepository } from '../db/system/hosts.ts';
import { AgentReports } from '../domain/myntrix/agent-reports.ts';
import { DeviceAnswer } from '../domain/myntrix/device-commands.ts';
import { DeviceJobReports } from '../domain/myntrix/device-jobs.ts';
import { DeviceReports } from '../domain/myntrix/device-reports.ts';
import { SampleMessage } from '../domain/myntrix/system-metrics.ts';
import { topics } from '../domain/names.ts';
import type { LogChunk } from '../domain/neosyntis/code.ts';
import { LogChunkMessage } from '../domain/neosyntis/log-chunk.ts';
import { type HostAnnouncement, HostMessage } from '../domain/system/hosts.ts';
import { createNews } from '../drivers/bus/news.ts';
import type { Bus } from '../drivers/bus/port.ts';
import { createHearingRecord } from '../drivers/devices/command-record.ts';
import type { Logger } from '../logs.ts';

/** Chunks of one run, of 32 KiB at most, that wait for the database. */
const QUEUE_LIMIT = 100;
/** Of all runs that one host sends of: it may name as many as it likes, and each would have a queue. */
const HOST_LIMIT = 500;

export interface CollectDeps {
  bus: Bus;
  database: Database;
  hosts: HostRepository;
  log: Logger;
}

/** Keeps what hosts send over the bus: their steps' output, that they are there, and how their machines are. */
export async function collectFromHosts({
  bus,
  database,
  hosts,
  log,
}: CollectDeps): Promise<{ close(): Promise<void> }> {
  const queues = new Map<string, { length: number; end: Promise<void> }>();
  const waitingOf = new Map<string, number>();

  /**
   * Messages of one run are handled one after another, those of different runs side by side. What comes while
   * too many wait is dropped: it is asked for again.
   */
  function enqueue(host: string, key: string, work: () => Promise<void>): void {
    const queue = queues.get(key) ?? { length: 0, end: Promise.resolve() };
    const waiting = waitingOf.get(host) ?? 0;
    if (queue.length >= QUEUE_LIMIT || waiting >= HOST_LIMIT) return;
    queues.set(key, queue);
    queue.length++;
    waitingOf.set(host, waiting + 1);
    queue.end = queue.end
      .then(work)
      .catch((error: unknown) => log.warn({ err: error, key }, 'not stored; asked for again'))
      .finally(() => {
        if (--queue.length === 0) queues.delete(key);
        const left = (waitingOf.get(host) ?? 1) - 1;
        if (left === 0) waitingOf.delete(host);
        else waitingOf.set(host, left);
      });
  }

  const ask = createLogRequests(bus);
  const news = createNews(bus);
  const metrics = createSystemMetricsRepository(database);
  const agents = createAgentReports(database);
  const devices = createDeviceReports(database);
  const deviceJobs = createDeviceJobReports(database);
  const commands = createHearingRecord(
    createDeviceCommandStore(database),
    createDeviceSettingsRepository(database),
  );

  async function store(host: string, chunk: LogChunk): Promise<void> {
    const { frame, missing } = await appendLog(database, host, chunk);
    if (frame) news.frames(chunk.run_id, [frame]);
    if (missing) ask(missing);
  }

  async function sampled(host: string, message: SampleMessage): Promise<void> {
    const kept = await metrics.keep(host, message);
    if (kept) bus.publish(topics.metrics, kept);
  }

  async function announced(announcement: HostAnnouncement): Promise<void> {
    const { name } = announcement;
    const isNews =
      announcement.status === 'online'
        ? await hosts.seen(announcement)
        : await hosts.gone(name, announcement.generation);
    if (!isNews) return;
    log.info({ host: name, status: announcement.status }, 'host');
    await publishHostChange({ database, bus }, name, announcement.status);
  }

  const subscriptions = [
    await bus.subscribe(topics.anyHostLogs, (message, topic) => {
      if (!Value.Check(LogChunkMessage, message)) return log.warn({ topic }, 'not a log chunk');
      const host = hostOf(topic);
      enqueue(host, message.run_id, () => store(host, message));
    }),
    await bus.subscribe(topics.anyHostMetrics, (message, topic) => {
      if (!Value.Check(SampleMessage, message)) return log.warn({ topic }, 'not a sample of a machine');
      const host = hostOf(topic);
      enqueue(`metrics of ${host}`, `metrics ${host}`, () => sampled(host, message));
    }),
    await bus.subscribe(topics.anyHostAgents, (message, topic) => {
      if (!Value.Check(AgentReports, message)) return log.warn({ topic }, 'not a report on agents');
      const host = hostOf(topic);
      enqueue(host, `agents of ${host}`, async () => news.events(await agents.apply(host, message.reports)));
    }),
    await bus.subscribe(topics.anyHostDevices, (message, topic) => {
      if (!Value.Check(DeviceReports, message)) return log.warn({ topic }, 'not a report on devices');
      if (message.reports.length === 0) return;
      const host = hostOf(topic);
      enqueue(host, `devices of ${host}`, async () => news.events(await devices.apply(host, message)));
    }),
    await bus.subscribe(topics.anyHostDeviceJobs, (message, topic) => {
      if (!Value.Check(DeviceJobReports, message))
        return log.warn({ topic }, 'not a report on jobs of devices');
      const host = hostOf(topic);
      enqueue(host, `device jobs of ${host}`, async () =>
        news.events(await deviceJobs.apply(host, message.reports)),
      );
    }),
    // Whoever asked records the answer; what is said again has lost who asked for it.
    await bus.subscribe(topics.anyHostDeviceAnswers, (message, topic) => {
      if (!Value.Check(DeviceAnswer, message)) return log.warn({ topic }, 'not an answer of a device');
      if (!message.isAgain) return;
      const host = hostOf(topic);
      enqueue(host, `device ${message.deviceId}`, async () => {
        await commands.settle(message);
        bus.publish(topics.hostDeviceReceipts(host), { ids: [message.id] });
      });
    }),
    await bus.subscribe(topics.anyHostStatus, (message, topic) => {
      if (!Value.Check(HostMessage, message)) return log.warn({ topic }, 'not a host status');
      const announcement = { ...message, name: hostOf(topic) };
      enqueue(`status of ${announcement.name}`, `host ${announcement.name}`, () => announced(announcement));
    }),
  ];
  return {
    async close() {
      await Promise.all(subscriptions.map((subscription) => subscription.close()));
      await Promise.all([...queues.values()].map(({ end }) => end));
    },
  };
}

/** `vareon/hosts/<name>/…`: the broker lets a host publish only under its own name. */
const hostOf = (topic: string) => topic.split('/')[2] ?? '';
