import { Client } from '@temporalio/client';
import { Worker } from '@temporalio/worker';
import { giveBack } from '../../activities/host/held.ts';
import { createAgentHostActivities } from '../../activities/host/myntrix/agents.ts';
import { createDeviceJobHostActivities } from '../../activities/host/myntrix/device-jobs.ts';
import { createDeviceHostActivities } from '../../activities/host/myntrix/devices.ts';
import { createCodeActivities } from '../../activities/host/neosyntis/code.ts';
import type { StepOpener } from '../../activities/host/neosyntis/sealed-step.ts';
import type { Config } from '../../config.ts';
import { agentsQueue, devicesQueue, hostQueue, topics } from '../../domain/names.ts';
import type { HostSettings } from '../../domain/system/host-access.ts';
import type { Capabilities } from '../../domain/system/hosts.ts';
import type { Agents } from '../../drivers/agents/port.ts';
import { busClientId } from '../../drivers/bus/credentials.ts';
import { connectBus } from '../../drivers/bus/mqtt.ts';
import type { Containers } from '../../drivers/containers/containers.ts';
import type { DeviceJobs } from '../../drivers/devices/jobs/port.ts';
import type { ConnectedReporter } from '../../drivers/devices/reporter.ts';
import type { DeviceSessions } from '../../drivers/devices/sessions/port.ts';
import { createPayloads } from '../../drivers/payloads/converter.ts';
import type { Processes } from '../../drivers/processes/port.ts';
import type { BlobExchange } from '../../drivers/storage/port.ts';
import type { SystemMetricsSampler } from '../../drivers/system/metrics.ts';
import type { Logger } from '../../logs.ts';
import { reportAgents, serveAgentLogs } from '../host-agents.ts';
import { reportDeviceJobs } from '../host-device-jobs.ts';
import { reportDevices, serveDevices } from '../host-devices.ts';
import { sendMetrics } from '../host-metrics.ts';
import { servePortRequests } from '../host-ports.ts';
import { announceHost } from '../host-status.ts';
import { serveLogRequests } from '../log-requests.ts';
import { answers, connectWorker } from '../temporal.ts';

/** Agents of one host, and what is being done to them. */
const AGENTS_AT_ONCE = 2_000;
const DEVICES_AT_ONCE = 2_000;

export interface SessionOptions {
  settings: HostSettings;
  credential: string;
  generation: number;
  processes: Processes;
  agents: Agents;
  devices: DeviceSessions;
  deviceJobs: DeviceJobs;
  containers: Containers | undefined;
  /** What devices say. */
  reporter: Pick<ConnectedReporter, 'connect'>;
  /** Puts secrets into a step. */
  open: StepOpener;
  /** Where large values are. */
  blobs: BlobExchange;
  capabilities: Capabilities;
  metrics: SystemMetricsSampler;
  /** A step was placed with a later holder of the name. */
  onSuperseded(): void;
  log: Logger;
}

export interface Session {
  /** Rejects when the worker broke; never resolves before `close`. */
  working: Promise<void>;
  /** Ends the steps that run. */
  close(): Promise<void>;
}

/** What the environment says wins over what the API told: the supervisor knows the way on this machine. */
export const withEnvironment = (told: HostSettings, config: Config): HostSettings => ({
  ...told,
  temporal: {
    ...told.temporal,
    ...(config.TEMPORAL_ADDRESS
      ? { address: config.TEMPORAL_ADDRESS, namespace: config.TEMPORAL_NAMESPACE }
      : {}),
  },
  bus: {
    url: config.BUS_URL ?? told.bus.url,
    username: config.BUS_USERNAME ?? told.bus.username,
    password: config.BUS_PASSWORD ?? told.bus.password,
  },
});

/** Connects the host to Temporal and the bus, and works until it is closed. */
export async function startSession(options: SessionOptions): Promise<Session> {
  const { settings, generation, processes, log } = options;
  const { name } = settings;
  const payloads = createPayloads({
    keys: settings.payloads.keys.map((key) => Buffer.from(key, 'base64')),
    seals: settings.payloads.seals,
    blobs: options.blobs,
  });
  const bus = connectBus({
    url: settings.bus.url,
    username: settings.bus.username,
    password: settings.bus.password ?? options.credential,
    clientId: busClientId(settings.bus.username, `host-${generation}`),
    will: { topic: topics.hostStatus(name), message: { name, status: 'offline', generation } },
    onError: (error) => log.warn({ err: error }, 'bus'),
  });
  const opened: { close(): Promise<void> }[] = [bus];
  try {
    const connection = await connectWorker(
      { TEMPORAL_ADDRESS: settings.temporal.address },
      { tls: settings.temporal.tls, apiKey: settings.temporal.api_key },
    );
    opened.push(connection);
    // A worker that cannot be made for want of its namespace lets go of its connection some time later, or never:
    // so none is made.
    await connection.workflowService.describeNamespace({ namespace: settings.temporal.namespace });
    const code = createCodeActivities({
      processes,
      containers: options.containers,
      hostName: name,
      generation,
      onSuperseded: options.onSuperseded,
      open: options.open,
      keepAhead: (runId, result) =>
        payloads.keepAhead(result, { namespace: settings.temporal.namespace, workflowId: runId }),
      publishLog: (chunk) => bus.publish(topics.hostLogs(name), chunk),
      temporalAnswers: () => answers(connection),
      log,
    });
    await serveLogRequests(bus, name, code, log);
    await serveAgentLogs(bus, name, options.agents, log);
    await servePortRequests(bus, name);
    const client = new Client({
      connection,
      namespace: settings.temporal.namespace,
      dataConverter: payloads.dataConverter,
    });
    // Without it they are missed later.
    for (const held of [options.agents, options.devices, options.deviceJobs])
      await giveBack(held, client).catch((error: unknown) =>
        log.warn({ err: error }, 'what an earlier life held is looked at later'),
      );
    const hostDevices = { bus, name, generation, devices: options.devices };
    const serving = await serveDevices(hostDevices);
    opened.push({ close: async () => serving.stop() });
    // The last things that can fail: a worker keeps its connection open.
    // Queues of their own: what holds an agent or a device holds a place for as long as that goes on.
    const holder = (taskQueue: string, activities: object, atOnce: number) =>
      Worker.create({
        connection,
        namespace: settings.temporal.namespace,
        taskQueue,
        dataConverter: payloads.dataConverter,
        activities,
        maxConcurrentActivityTaskExecutions: atOnce,
        maxHeartbeatThrottleInterval: '8s',
        defaultHeartbeatThrottleInterval: '8s',
        shutdownGraceTime: '10ms',
        shutdownForceTime: '4s',
      });
    const agentWorker = await holder(
      agentsQueue(name),
      createAgentHostActivities(options.agents),
      AGENTS_AT_ONCE,
    );
    const deviceWorker = await holder(
      devicesQueue(name),
      {
        ...createDeviceHostActivities(options.devices),
        ...createDeviceJobHostActivities(options.deviceJobs),
      },
      DEVICES_AT_ONCE,
    );
    const worker = await Worker.create({
      connection,
      namespace: settings.temporal.namespace,
      taskQueue: hostQueue(name),
      dataConverter: payloads.dataConverter,
      activities: { runCode: code.runCode, settleCode: code.settleCode },
      maxConcurrentActivityTaskExecutions: 100,
      // A person who cancels waits for the next heartbeat's answer.
      maxHeartbeatThrottleInterval: '200ms',
      defaultHeartbeatThrottleInterval: '200ms',
      // A step that is ended has 2 s to go by itself.
      shutdownGraceTime: '100ms',
      shutdownForceTime: '4s',
    });
    const workers = [worker, agentWorker, deviceWorker];
    const working = Promise.all(workers.map((one) => one.run())).then(() => {});
    working.catch(() => {}); // whoever has the session awaits it
    const reporting = reportAgents(bus, name, options.agents);
    const reportingDevices = reportDevices(hostDevices);
    const reportingJobs = reportDeviceJobs(bus, name, options.deviceJobs);
    const status = announceHost(bus, name, () => ({
      generation,
      capabilities: options.capabilities,
      sessions: code.held(),
    }));
    const sending = sendMetrics({ bus, name, generation }, options.metrics, log);
    const disconnect = options.reporter.connect({ bus, host: name, generation });
    const close = async () => {
      status.stop();
      sending.stop();
      disconnect();
      reporting.stop();
      reportingDevices.stop();
      reportingJobs.stop();
      serving.stop();
      for (const one of workers) if (one.getState() === 'RUNNING') one.shutdown();
      await working.catch((error: unknown) => log.warn({ err: error }, 'the worker ended'));
      await status.offline();
      await Promise.all([bus.close(), connection.close()]);
    };
    let closed: Promise<void> | undefined;
    return {
      working,
      close: () => {
        closed ??= close();
        return closed;
      },
    };
  } catch (error) {
    for (const one of opened.reverse()) await one.close();
    throw error;
  }
}
