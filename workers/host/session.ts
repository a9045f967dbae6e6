import { Client } from '@temporalio/client';
import { Worker } from '@temporalio/worker';
import { createAgentHostActivities, giveBack } from '../../activities/host/myntrix/agents.ts';
import { createCodeActivities } from '../../activities/host/neosyntis/code.ts';
import type { StepOpener } from '../../activities/host/neosyntis/sealed-step.ts';
import type { Config } from '../../config.ts';
import { agentsQueue, hostQueue, topics } from '../../domain/names.ts';
import type { HostSettings } from '../../domain/system/host-access.ts';
import type { Capabilities } from '../../domain/system/hosts.ts';
import type { Agents } from '../../drivers/agents/port.ts';
import { busClientId } from '../../drivers/bus/credentials.ts';
import { connectBus } from '../../drivers/bus/mqtt.ts';
import type { Containers } from '../../drivers/containers/containers.ts';
import { createPayloads } from '../../drivers/payloads/converter.ts';
import type { Processes } from '../../drivers/processes/port.ts';
import type { BlobExchange } from '../../drivers/storage/port.ts';
import type { SystemMetricsSampler } from '../../drivers/system/metrics.ts';
import type { Logger } from '../../logs.ts';
import { reportAgents, serveAgentLogs } from '../host-agents.ts';
import { sendMetrics } from '../host-metrics.ts';
import { announceHost } from '../host-status.ts';
import { serveLogRequests } from '../log-requests.ts';
import { answers, connectWorker } from '../temporal.ts';

/** Agents of one host, and what is being done to them. */
const AGENTS_AT_ONCE = 2_000;

export interface SessionOptions {
  settings: HostSettings;
  credential: string;
  generation: number;
  processes: Processes;
  agents: Agents;
  containers: Containers | undefined;
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
    const client = new Client({
      connection,
      namespace: settings.temporal.namespace,
      dataConverter: payloads.dataConverter,
    });
    // Without it they are missed later.
    await giveBack(options.agents, client).catch((error: unknown) =>
      log.warn({ err: error }, 'agents of an earlier life are looked at later'),
    );
    // The last things that can fail: a worker keeps its connection open.
    // A queue of its own: what holds an agent holds a place for as long as the agent runs.
    const agentWorker = await Worker.create({
      connection,
      namespace: settings.temporal.namespace,
      taskQueue: agentsQueue(name),
      dataConverter: payloads.dataConverter,
      activities: createAgentHostActivities(options.agents),
      maxConcurrentActivityTaskExecutions: AGENTS_AT_ONCE,
      maxHeartbeatThrottleInterval: '8s',
      defaultHeartbeatThrottleInterval: '8s',
      shutdownGraceTime: '10ms',
      shutdownForceTime: '4s',
    });
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
    const workers = [worker, agentWorker];
    const working = Promise.all(workers.map((one) => one.run())).then(() => {});
    working.catch(() => {}); // whoever has the session awaits it
    const reporting = reportAgents(bus, name, options.agents);
    const status = announceHost(bus, name, () => ({
      generation,
      capabilities: options.capabilities,
      sessions: code.held(),
    }));
    const sending = sendMetrics({ bus, name, generation }, options.metrics, log);
    const close = async () => {
      status.stop();
      sending.stop();
      reporting.stop();
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
