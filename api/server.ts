import type { AddressInfo } from 'node:net';
import { type Config, list } from '../config.ts';
import { createDeviceLineStore } from '../db/myntrix/device-lines.ts';
import { createDeviceTelemetryStore } from '../db/myntrix/device-telemetry.ts';
import { createDeviceRepository } from '../db/myntrix/devices.ts';
import { createSceneRepository } from '../db/myntrix/visualization.ts';
import { migrate, openDatabase } from '../db/orm.ts';
import { createHostCredentials } from '../db/system/host-credentials.ts';
import { startBroker } from '../drivers/bus/broker.ts';
import { busClientId, busPassword } from '../drivers/bus/credentials.ts';
import { connectBus } from '../drivers/bus/mqtt.ts';
import { createExpressionCheck } from '../drivers/expressions/check.ts';
import { createPayloads } from '../drivers/payloads/converter.ts';
import { openStorage } from '../drivers/storage/open.ts';
import type { Keys } from '../keys.ts';
import type { Logger } from '../logs.ts';
import { seedAdministrator } from './auth/seed.ts';
import { watchDatabase } from './database-watch.ts';
import { createApp, createServer } from './http/app.ts';
import { affordable, limitConnections } from './http/connections.ts';
import { attachSockets } from './http/sockets.ts';
import { withTarget } from './http/target.ts';
import { createDeviceStreams } from './live/devices/streams.ts';
import { createEventStream } from './live/events.ts';
import { createRunEnds } from './live/run-ends.ts';
import { createRunStreams } from './live/runs.ts';
import { createSceneStream } from './live/scenes.ts';
import { createSurface } from './surface.ts';
import { createHostAuthenticator } from './system/host-authenticator.ts';
import { connectTemporal } from './temporal/client.ts';
import { codecOrigin, uiOrigins } from './temporal/codec-origin.ts';

export interface ApiOptions {
  config: Config;
  keys: Keys;
  tls: { cert: Buffer; key: Buffer } | undefined;
  log: Logger;
}

/** Starts the API with all that it owns; what it gives closes all of it. */
export async function startApi({ config, keys, tls, log }: ApiOptions) {
  const database = await openDatabase({ databaseUrl: config.DATABASE_URL ?? '', poolSize: 20, log });
  await migrate(database);
  const hostAuthenticator = createHostAuthenticator(database);
  if (config.VAREON_HOST_CREDENTIAL)
    await createHostCredentials(database).ensure(config.VAREON_HOST_NAME, config.VAREON_HOST_CREDENTIAL);
  const broker = config.VAREON_BUS_PORT
    ? await startBroker({
        port: config.VAREON_BUS_PORT,
        key: keys.bus,
        authenticateHost: hostAuthenticator.authenticateHost,
        onError: (error) => log.warn({ err: error }, 'bus client'),
      })
    : undefined;
  const bus = connectBus({
    url: broker ? `mqtt://127.0.0.1:${broker.port}` : (config.BUS_URL ?? ''),
    username: config.BUS_USERNAME ?? 'platform',
    password: config.BUS_PASSWORD ?? busPassword(keys.bus, 'platform'),
    clientId: busClientId(config.BUS_USERNAME ?? 'platform', 'api'),
    onError: (error) => log.warn({ err: error }, 'bus'),
  });
  const adminCreated = config.VAREON_ADMIN_PASSWORD
    ? await seedAdministrator(database, config.VAREON_ADMIN_PASSWORD)
    : false;
  const blobs = await openStorage(config);
  const { dataConverter } = createPayloads({
    keys: keys.payload,
    seals: config.VAREON_PAYLOAD_CODEC === 'on',
    blobs,
  });
  const temporal = connectTemporal({
    address: config.TEMPORAL_ADDRESS ?? '',
    namespace: config.TEMPORAL_NAMESPACE,
    dataConverter,
    log,
  });
  const watch = watchDatabase(config.DATABASE_URL ?? '', log);
  const { during } = watch;
  const streams = {
    runs: createRunStreams({ bus, database, log }),
    events: createEventStream({ bus, database, log }),
    ends: createRunEnds({ bus, database, log }),
    scenes: createSceneStream({ scenes: createSceneRepository(database), log }),
    devices: createDeviceStreams({
      bus,
      devices: createDeviceRepository(database),
      telemetry: createDeviceTelemetryStore(database),
      lines: createDeviceLineStore(database),
      log,
    }),
  };
  const surface = createSurface({
    config,
    keys,
    database,
    bus,
    watch,
    temporal,
    hostAuthenticator,
    blobs,
    streams,
    checkExpressions: await createExpressionCheck(),
    log,
  });
  const origins = list(config.VAREON_CORS_ORIGINS);
  const app = createApp({
    ...surface,
    during,
    corsOrigins: origins,
    proxies: config.VAREON_TRUST_PROXY,
    beforeCors: codecOrigin(uiOrigins(config.TEMPORAL_UI_URL), list(config.VAREON_PUBLIC_URL)),
    log,
  });
  const connections = limitConnections({ limits: connectionLimits(config), log });
  const server = createServer(tls, connections.counted(withTarget(app.callback())));
  connections.attach(server);
  const sockets = attachSockets(server, {
    ...surface,
    during,
    origins,
    perUser: config.VAREON_MAX_SOCKETS_PER_USER,
    log,
  });
  surface.countSockets(sockets.count);
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(config.VAREON_PORT, config.VAREON_BIND, resolve);
  });
  const { port } = server.address() as AddressInfo; // it listens on TCP
  log.info({ port }, 'API listens');
  return {
    ready: { adminCreated, port },
    async close() {
      sockets.close();
      streams.runs.close();
      streams.events.close();
      streams.ends.close();
      streams.devices.close();
      streams.scenes.close();
      const closed = new Promise((resolve) => server.close(resolve));
      setTimeout(() => server.closeAllConnections(), 2_000).unref();
      server.closeIdleConnections();
      await closed;
      temporal.stop();
      await Promise.all([bus.close(), watch.close(), database.close()]);
      blobs.close();
      await broker?.close();
    },
  };
}

/** Of what one address has open, at most this many do nothing. */
const IDLE_PER_ADDRESS = 1_000;

function connectionLimits(config: Config) {
  const total = affordable(config.VAREON_MAX_CONNECTIONS);
  const perAddress = Math.min(config.VAREON_MAX_CONNECTIONS_PER_ADDRESS, total);
  return { total, perAddress, idlePerAddress: Math.min(IDLE_PER_ADDRESS, perAddress) };
}
