import { connect } from 'node:net';
import type { Config } from '../config.ts';
import { StartError } from './events.ts';

const WITHIN_MS = 5_000;

/** Refuses to start when a server that a setting names does not answer. @throws StartError naming all of them. */
export async function checkServers(config: Config): Promise<void> {
  const problems = await Promise.all([
    check('DATABASE_URL', config.DATABASE_URL, 5432),
    check('TEMPORAL_ADDRESS', config.TEMPORAL_ADDRESS && `grpc://${config.TEMPORAL_ADDRESS}`, 7233),
    check('BUS_URL', config.BUS_URL, config.BUS_URL?.startsWith('mqtts') ? 8883 : 1883),
  ]);
  const found = problems.filter((problem) => problem !== undefined);
  if (found.length > 0) throw new StartError(found.join('\n'));
}

async function check(
  setting: string,
  url: string | undefined,
  usualPort: number,
): Promise<string | undefined> {
  if (!url) return undefined;
  const parsed = URL.parse(url);
  if (!parsed?.hostname) return undefined; // a Unix socket, or odd: its client will say
  const host = parsed.hostname.replace(/^\[|\]$/g, '');
  const port = Number(parsed.port) || usualPort;
  const problem = await dial(host, port);
  return (
    problem &&
    `${setting}: nothing answers at ${host}:${port} (${problem}). Start that server, or unset ${setting} and one is started here`
  );
}

function dial(host: string, port: number): Promise<string | undefined> {
  return new Promise((resolve) => {
    const socket = connect({ host, port, timeout: WITHIN_MS });
    const done = (problem?: string) => {
      socket.destroy();
      resolve(problem);
    };
    socket.once('connect', () => done());
    socket.once('timeout', () => done(`no answer within ${WITHIN_MS / 1000} s`));
    socket.once('error', (error: NodeJS.ErrnoException) => done(error.code ?? error.message));
  });
}
