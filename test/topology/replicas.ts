import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { prepareBundle } from '../../local/bundle.ts';
import { cacheFolder } from '../../local/cache-folder.ts';
import { nodeFlags } from '../../local/node-parts.ts';
import { freePort } from '../../local/ports.ts';
import { repository, serviceEnvironment } from './compose.ts';
import { startFront } from './front.ts';
import { type Running, saysReady, start } from './processes.ts';

export interface Servers {
  /** What makeSecrets made; its database-url names the database. */
  secrets: string;
  temporalAddress: string;
  temporalNamespace: string;
  busUrl: string;
  hostBusUrl: string;
}

export interface Replica extends Running {
  url: string;
  startAgain(): Promise<void>;
}

export interface Replicas {
  /** Round robin over all of them. */
  url: string;
  apis: [Replica, Replica];
  platforms: [Running, Running];
  host: Running;
  close(): Promise<void>;
}

/**
 * Two APIs, two platform workers and a host as docker-compose.yml starts them, by its environments, on servers that
 * are there already.
 * @param folder for their data and logs
 * @param root where the application is: this repository, or an unpacked image
 */
export async function startReplicas(servers: Servers, folder: string, root = repository): Promise<Replicas> {
  const cacheDir = cacheFolder(repository, folder);
  const inImage = join(root, 'workflows.js');
  const bundle = existsSync(inImage)
    ? inImage
    : await prepareBundle({
        root: repository,
        cacheDir,
        sealsFailures: true,
        env: process.env,
        signal: AbortSignal.timeout(600_000),
        onBuild: () => {},
      });
  // Of this machine users reach what tests listen with.
  const VAREON_OUTBOUND_ALLOW = '127.0.0.1/32';
  const variables = { VAREON_PUBLIC_URL: 'http://vareon.test', LOG_LEVEL: 'info', VAREON_OUTBOUND_ALLOW };
  const { PATH, HOME } = process.env;
  const environment = (service: string, name: string, instead: Record<string, string>) => {
    const dataDir = join(folder, name);
    mkdirSync(dataDir, { recursive: true, mode: 0o700 });
    return serviceEnvironment(service, {
      secrets: servers.secrets,
      variables,
      instead: {
        PATH: PATH ?? '',
        HOME: HOME ?? '',
        // A host is told where the servers are.
        ...(service === 'host'
          ? {}
          : {
              TEMPORAL_ADDRESS: servers.temporalAddress,
              TEMPORAL_NAMESPACE: servers.temporalNamespace,
              BUS_URL: servers.busUrl,
              // The volume that they share.
              VAREON_STORAGE: join(folder, 'blobs'),
            }),
        VAREON_DATA_DIR: dataDir,
        VAREON_HEALTH_FILE: join(dataDir, 'health'),
        VAREON_WORKFLOW_BUNDLE: bundle,
        NODE_COMPILE_CACHE: join(cacheDir, 'compile'),
        ...instead,
      },
    });
  };
  const run = (part: 'api' | 'platform' | 'host', name: string, entry: string, env: Record<string, string>) =>
    start({
      name,
      command: [process.execPath, ...nodeFlags(part, root), join(root, entry)],
      env,
      cwd: root,
      logFile: join(folder, `${name}.log`),
      isReady: saysReady(),
    });
  const taken = new Set<number>();
  const ports = [await freePort(taken), await freePort(taken)];
  const front = await startFront(ports);
  const started: Running[] = [];
  const kept = async <T extends Running>(starting: Promise<T>): Promise<T> => {
    const running = await starting;
    started.push(running);
    return running;
  };
  const api = async (index: 0 | 1): Promise<Replica> => {
    const name = `api-${index + 1}`;
    const port = String(ports[index]);
    const env = environment('api', name, {
      VAREON_PORT: port,
      VAREON_BIND: '127.0.0.1',
      VAREON_HOST_BUS_URL: servers.hostBusUrl,
    });
    const running = await kept(run('api', name, 'api/main.ts', env));
    return {
      ...running,
      url: `http://127.0.0.1:${port}`,
      startAgain: async () => void (await kept(run('api', name, 'api/main.ts', env))),
    };
  };
  const platform = (name: string) =>
    kept(run('platform', name, 'workers/platform.ts', environment('platform', name, {})));
  const host = () =>
    kept(run('host', 'host', 'workers/host.ts', environment('host', 'host', { VAREON_HOST_API: front.url })));
  const close = async (): Promise<void> => {
    await Promise.all(started.filter(({ name }) => !name.startsWith('api')).map((one) => one.stop()));
    await Promise.all(started.map((one) => one.stop()));
  };
  try {
    // All at once, on an empty database, as Compose does it.
    const starting = [api(0), api(1), platform('platform-1'), platform('platform-2')] as const;
    await Promise.allSettled(starting); // so that all of them are known when one has failed
    const [first, second, one, other] = await Promise.all(starting);
    const worker = await host(); // once the API is there
    return {
      url: front.url,
      apis: [first, second],
      platforms: [one, other],
      host: worker,
      async close() {
        await close(); // the host gives its name back through the front
        await front.close();
      },
    };
  } catch (error) {
    await front.close();
    await close();
    throw error;
  }
}
