import { randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { openDatabase } from '../../db/orm.ts';
import { rows } from '../../db/sql.ts';
import { startBroker } from '../../drivers/bus/broker.ts';
import { busPassword } from '../../drivers/bus/credentials.ts';
import { boundToUs } from '../../local/child/parent-death.ts';
import { supervise } from '../../local/child/supervise.ts';
import { freePort } from '../../local/ports.ts';
import { findTemporal } from '../../local/temporal/binary.ts';
import { TEMPORAL_STOP, temporalPart } from '../../local/temporal/part.ts';
import { createLogger } from '../../logs.ts';
import { makeSecrets } from '../../production/secrets.ts';
import { superviseTools } from '../local/tools.ts';
import type { Servers } from './replicas.ts';

/**
 * The servers that replicas share, where nobody gave any: an empty database on the tests' PostgreSQL, a Temporal and
 * a bus of their own. They need nothing but npm.
 */
export async function startServers(folder: string): Promise<{ servers: Servers; close(): Promise<void> }> {
  const secrets = join(folder, 'secrets');
  makeSecrets(secrets, ['local']);
  const control = await openDatabase({
    databaseUrl: process.env.TEST_DATABASE_URL ?? '',
    poolSize: 1,
    connectWithinMs: 60_000,
    log: createLogger('test', 'silent'),
  });
  const name = `replicas_${randomBytes(6).toString('hex')}`;
  await rows(control.em, `create database ${name}`);
  const url = new URL(process.env.TEST_DATABASE_URL ?? '');
  url.pathname = `/${name}`;
  writeFileSync(join(secrets, 'database-url'), url.href);

  const taken = new Set<number>();
  const key = Buffer.from(readFileSync(join(secrets, 'bus.key'), 'utf8'), 'base64');
  const ofHost = busPassword(key, 'host-local');
  const broker = await startBroker({
    port: await freePort(taken),
    key,
    authenticateHost: async (password) => (password === ofHost ? 'local' : undefined),
    onError: () => {},
  });
  const busUrl = `mqtt://127.0.0.1:${broker.port}`;

  const { env } = process;
  const binary = await findTemporal({ env, signal: new AbortController().signal, progress: () => {} });
  mkdirSync(join(folder, 'temporal'));
  const [port, httpPort, uiPort] = [await freePort(taken), await freePort(taken), await freePort(taken)];
  const namespace = 'vareon';
  const bound = await boundToUs(TEMPORAL_STOP);
  const temporal = supervise(
    temporalPart({ binary, bound, dataDir: folder, namespace, port, httpPort, uiPort, env }),
    superviseTools(folder),
  );
  await temporal.ready;
  return {
    servers: {
      secrets,
      temporalAddress: `127.0.0.1:${port}`,
      temporalNamespace: namespace,
      busUrl,
      hostBusUrl: busUrl,
    },
    async close() {
      await temporal.stop(5_000);
      await broker.close();
      await rows(control.em, `drop database ${name} with (force)`);
      await control.close();
    },
  };
}
