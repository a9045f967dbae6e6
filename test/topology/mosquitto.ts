import { readFileSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { freePort } from '../../local/ports.ts';
import { which } from '../../local/temporal/check.ts';
import { repository } from './compose.ts';
import { listens, type Running, start } from './processes.ts';

/** Debian's package puts it where only root looks. */
export const findMosquitto = (): string | undefined =>
  which('mosquitto', { PATH: [process.env.PATH, '/usr/sbin', '/usr/local/sbin'].join(delimiter) });

export interface Mosquitto extends Running {
  platformPort: number;
  hostsPort: number;
}

/**
 * Mosquitto with the configuration that docker-compose.yml mounts; only its ports and the folder of the secrets
 * are others.
 */
export async function startMosquitto(options: {
  program: string;
  secrets: string;
  folder: string;
  taken?: Set<number>;
}): Promise<Mosquitto> {
  const [platformPort, hostsPort] = [await freePort(options.taken), await freePort(options.taken)];
  const config = readFileSync(`${repository}production/mosquitto.conf`, 'utf8')
    .replaceAll('/run/secrets', options.secrets)
    .replace('listener 1883', `listener ${platformPort} 127.0.0.1`)
    .replace('listener 1884', `listener ${hostsPort} 127.0.0.1`);
  const file = join(options.folder, 'mosquitto.conf');
  // As root it would become the user mosquitto, who may not pass the test's folder.
  writeFileSync(file, process.getuid?.() === 0 ? `user root\n${config}` : config);
  const running = await start({
    name: 'mosquitto',
    command: [options.program, '-c', file],
    env: { PATH: process.env.PATH },
    logFile: join(options.folder, 'mosquitto.log'),
    isReady: async () => (await listens(platformPort)) && (await listens(hostsPort)),
    withinMs: 60_000,
  });
  return { ...running, platformPort, hostsPort };
}
