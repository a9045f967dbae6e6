import { mkdirSync } from 'node:fs';
import { cpus, totalmem } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import { createStepOpener } from '../activities/host/neosyntis/sealed-step.ts';
import { list, readConfig } from '../config.ts';
import { createDeviceJobs } from '../drivers/devices/jobs/jobs.ts';
import { createDeviceReporter } from '../drivers/devices/reporter.ts';
import { createGuardedEvaluator } from '../drivers/expressions/guarded.ts';
import { createOutboundClient } from '../drivers/outbound/client.ts';
import { createSettingsSource } from '../drivers/platform-api/device-settings.ts';
import { createDeviceSecrets, createHostSecrets } from '../drivers/platform-api/secrets.ts';
import { createKnownSecrets } from '../drivers/secrets/known.ts';
import { createLogger } from '../logs.ts';
import { runProcess } from '../process.ts';
import { VERSION } from '../version.ts';
import { establishIdentity } from './host/identity.ts';
import { holdLease } from './host/lease.ts';
import { lockCredential } from './host/lock.ts';
import { type HostOptions, readHostOptions, UsageError } from './host/options.ts';
import { type Session, startSession, withEnvironment } from './host/session.ts';
import { createHostDevices } from './host-devices.ts';
import { createHostMetrics } from './host-metrics.ts';
import { prepareProcesses, SPOOL_KEPT_MS, searchPath } from './host-processes.ts';
import { installRuntime } from './temporal.ts';

const PRUNE_EVERY_MS = 3_600_000;
const AGAIN_AFTER_MS = 2_000;
/** Without a platform worker nobody hears the host: it works all the same. */
const KNOWN_WITHIN_MS = 15_000;

/**
 * A worker host: runs what touches the machine. It has no database and none of the installation's keys, and
 * nobody connects to it: it asks the API, Temporal and the bus.
 */
const config = readConfig(process.env);
const known = createKnownSecrets();
const log = createLogger('host', config.LOG_LEVEL, known.mask);

/** Mistakes of who typed the command are told plainly. */
function options(): HostOptions {
  try {
    return readHostOptions(process.argv.slice(2), config);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    process.stderr.write(`${error.message}\n`);
    process.exit(2);
  }
}
const given = options();

await runProcess(log, async (end) => {
  installRuntime(log);
  const { dataDir } = given;
  const identity = await establishIdentity(given);
  const { name, credential, api } = identity;
  mkdirSync(dataDir, { recursive: true, mode: 0o700 });
  const lock = await lockCredential(identity, dataDir);
  const guarded = createGuardedEvaluator();
  const open = createStepOpener({ secrets: createHostSecrets(api), guarded, known });
  let settings = withEnvironment(await identity.settings(), config);
  const { VAREON_RUN_AS, VAREON_CONTAINER_VOLUMES } = config;
  const { processes, agents, containers, capabilities } = await prepareProcesses(
    { dataDir, VAREON_HOST_NAME: name, VAREON_RUN_AS, VAREON_CONTAINER_VOLUMES },
    process.env,
    log,
  );
  const { access, metrics } = createHostMetrics(config, log);
  const reporter = createDeviceReporter();
  const means = {
    secrets: createDeviceSecrets(api),
    settings: createSettingsSource(api),
    createOutbound: () =>
      createOutboundClient({
        allow: list(config.VAREON_OUTBOUND_ALLOW),
        userAgent: `Vareon/${VERSION}`,
      }),
  };
  const devices = await createHostDevices({ dataDir, config, access, means, reporter });
  const deviceJobs = createDeviceJobs({
    dataDir,
    sessions: devices,
    processes,
    blobs: identity.blobs,
    PATH: searchPath(process.env.PATH),
  });
  const stopping = new AbortController();
  const stop = (reason: string) => {
    if (!stopping.signal.aborted) end(new Error(`the host "${name}" stops: ${reason}`));
    stopping.abort();
  };
  let session: Session | undefined;
  const lease = await holdLease(
    { api, dataDir },
    { onLost: stop, onBack: () => void look().catch((error) => log.warn({ err: error }, 'no settings')) },
    log,
  );
  const begin = () =>
    startSession({
      settings,
      credential,
      generation: lease.generation,
      processes,
      agents,
      containers,
      devices,
      deviceJobs,
      reporter,
      open,
      blobs: identity.blobs,
      capabilities: { ...capabilities, cpus: cpus().length, memory_bytes: totalmem(), ...given.labels },
      metrics,
      onSuperseded: () => stop('another machine has its name by now.'),
      log,
    });

  /** Addresses may be others after the platform was away. */
  async function look(): Promise<void> {
    const fresh = withEnvironment(await identity.settings(), config);
    if (JSON.stringify(fresh) === JSON.stringify(settings)) return;
    log.warn('the platform has other addresses by now; connecting anew');
    settings = fresh;
    await session?.close();
  }

  /** A worker that broke, or was closed because addresses changed, is followed by another. */
  async function keepWorking(first: Session): Promise<void> {
    session = first;
    while (!stopping.signal.aborted) {
      await session.working.catch((error: unknown) => log.error({ err: error }, 'the worker broke'));
      if (stopping.signal.aborted) return;
      await session.close();
      session = await again();
    }
  }

  async function again(): Promise<Session> {
    for (;;) {
      try {
        return await begin();
      } catch (error) {
        stopping.signal.throwIfAborted();
        log.warn({ err: error }, 'cannot connect; trying again');
        await delay(AGAIN_AFTER_MS, undefined, { signal: stopping.signal });
      }
    }
  }

  const kept = keepWorking(await begin()).catch((error: unknown) => {
    if (!stopping.signal.aborted) stop(String(error));
  });
  const pruning = setInterval(() => void processes.pruneSpools(SPOOL_KEPT_MS), PRUNE_EVERY_MS);
  const settled = lease
    .untilKnown(AbortSignal.any([stopping.signal, AbortSignal.timeout(KNOWN_WITHIN_MS)]))
    .catch((error: unknown) =>
      log.warn({ err: error }, 'the platform may not know yet that this host is there'),
    );
  return {
    settled,
    healthFile: config.VAREON_HEALTH_FILE,
    async close() {
      stopping.abort();
      clearInterval(pruning);
      containers?.close();
      await session?.close();
      // Whoever holds one has looked away: this is no end of what was ordered, and the next life connects again.
      await devices.close();
      reporter.close();
      await kept;
      await lease.release();
      const going = agents.reports().filter(({ pid }) => pid !== null).length;
      if (going > 0)
        process.send?.({
          type: 'notice',
          text: `${going} ${going === 1 ? 'agent goes' : 'agents go'} on running; the next start takes ${going === 1 ? 'it' : 'them'} over`,
        });
      agents.close();
      await Promise.all([processes.close(), guarded.close()]);
      lock.release();
    },
  };
});
