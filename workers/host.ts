import { cpus, totalmem } from 'node:os';
import { Worker } from '@temporalio/worker';
import { createCodeActivities } from '../activities/host/neosyntis/code.ts';
import { readConfig } from '../config.ts';
import { hostQueue, topics } from '../domain/names.ts';
import { connectBus } from '../drivers/bus/mqtt.ts';
import { createLogger } from '../logs.ts';
import { runProcess } from '../process.ts';
import { prepareProcesses, SPOOL_KEPT_MS } from './host-processes.ts';
import { announceHost } from './host-status.ts';
import { serveLogRequests } from './log-requests.ts';
import { answers, connectWorker, installRuntime } from './temporal.ts';

const PRUNE_EVERY_MS = 3_600_000;

/** A worker host: runs what touches the machine. It has no database and none of the installation's keys. */
const config = readConfig(process.env);
const log = createLogger('host', config.LOG_LEVEL);

await runProcess(log, async () => {
  installRuntime(log);
  const name = config.VAREON_HOST_NAME;
  const { processes, capabilities } = await prepareProcesses(config, process.env, log);
  const bus = connectBus({
    url: config.BUS_URL ?? 'mqtt://127.0.0.1:1883',
    username: config.BUS_USERNAME ?? `host-${name}`,
    password: config.BUS_PASSWORD ?? '',
    clientId: `host-${name}.${process.pid}`,
    will: { topic: topics.hostStatus(name), message: { name, status: 'offline' } },
    onError: (error) => log.warn({ err: error }, 'bus'),
  });
  const connection = await connectWorker(config);
  let running = 0;
  const code = createCodeActivities({
    processes,
    hostName: name,
    publishLog: (chunk) => bus.publish(topics.hostLogs(name), chunk),
    temporalAnswers: () => answers(connection),
    log,
  });
  const counted = {
    ...code,
    runCode: async (step: Parameters<typeof code.runCode>[0]) => {
      running++;
      try {
        return await code.runCode(step);
      } finally {
        running--;
      }
    },
  };
  const worker = await Worker.create({
    connection,
    namespace: config.TEMPORAL_NAMESPACE,
    taskQueue: hostQueue(name),
    activities: counted,
    maxConcurrentActivityTaskExecutions: 100,
    // A person who cancels waits for the next heartbeat's answer.
    maxHeartbeatThrottleInterval: '200ms',
    defaultHeartbeatThrottleInterval: '200ms',
    // A step that is ended has 2 s to go by itself.
    shutdownGraceTime: '100ms',
    shutdownForceTime: '4s',
  });
  const working = worker.run();
  const status = announceHost(bus, name, () => ({
    capabilities: { ...capabilities, cpus: cpus().length, memory_bytes: totalmem() },
    sessions: running,
  }));
  const pruning = setInterval(() => void processes.pruneSpools(SPOOL_KEPT_MS), PRUNE_EVERY_MS);
  await serveLogRequests(bus, name, code, log);
  return {
    working,
    async close() {
      clearInterval(pruning);
      status.stop();
      worker.shutdown();
      await working;
      await status.offline();
      await Promise.all([bus.close(), connection.close(), processes.close()]);
    },
  };
});
