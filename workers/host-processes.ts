import { execFile } from 'node:child_process';
import { delimiter } from 'node:path';
import { promisify } from 'node:util';
import type { Config } from '../config.ts';
import type { Json } from '../domain/wire.ts';
import { createAgents } from '../drivers/agents/agents.ts';
import { createAgentContainers } from '../drivers/agents/containers.ts';
import type { Agents } from '../drivers/agents/port.ts';
import { type Containers, createContainers } from '../drivers/containers/containers.ts';
import { findEngine } from '../drivers/containers/engine.ts';
import { findContainments } from '../drivers/processes/containment/detect.ts';
import type { Processes } from '../drivers/processes/port.ts';
import { createProcesses } from '../drivers/processes/processes.ts';
import { findProgram } from '../drivers/processes/programs.ts';
import { ensureRunAsUser } from '../drivers/processes/run-as.ts';
import type { Logger } from '../logs.ts';

const execute = promisify(execFile);

/** How long a step's output is kept on the host for those who ask again. */
export const SPOOL_KEPT_MS = 24 * 3_600_000;

/**
 * Makes the host ready to run code: as another user when it runs as root, in the strongest containment the
 * machine allows, with nothing left over from an earlier life.
 */
export async function prepareProcesses(
  config: Pick<Config, 'dataDir' | 'VAREON_HOST_NAME' | 'VAREON_RUN_AS'> & {
    VAREON_CONTAINER_VOLUMES?: string | undefined;
  },
  env: Readonly<Record<string, string | undefined>>,
  log: Logger,
): Promise<{
  processes: Processes;
  agents: Agents;
  containers: Containers | undefined;
  capabilities: { [name: string]: Json };
}> {
  const user = process.getuid?.() === 0 ? await ensureRunAsUser(config.VAREON_RUN_AS) : undefined;
  const PATH = searchPath(env.PATH);
  const [containment] = await findContainments(PATH, user);
  if (!containment) throw new Error('this machine has no way to hold the processes of a code step together');
  const common = {
    dataDir: config.dataDir,
    hostName: config.VAREON_HOST_NAME,
    user,
    hostEnvironment: { PATH, ...(env.LANG ? { LANG: env.LANG } : {}), ...(env.TZ ? { TZ: env.TZ } : {}) },
    warn: (message: string, error: unknown) => log.warn({ err: error }, message),
  };
  const engine = await findEngine(PATH, env);
  const lent = { folder: config.VAREON_CONTAINER_VOLUMES, owner: user };
  const agents = await createAgents({
    ...common,
    containers: engine && createAgentContainers({ engine, PATH, lent }),
  });
  const adopted = await agents.adopt();
  if (adopted > 0) log.info({ adopted }, 'agents that an earlier life of this host started go on');
  const processes = await createProcesses({ ...common, containment });
  const ended = await processes.sweep();
  if (ended > 0) log.warn({ ended }, 'ended what an earlier life of this host left running');
  await processes.pruneSpools(SPOOL_KEPT_MS);
  const python = await version(await findProgram('python3', PATH, user), PATH);
  const containers =
    engine &&
    (await createContainers({
      engine,
      PATH,
      dataDir: config.dataDir,
      processes,
      lent,
      warn: (message, error) => log.warn({ err: error }, message),
    }));
  // An engine that cannot say what runs is not there yet; its containers are found by the next life.
  await containers
    ?.sweep()
    .catch((error: unknown) => log.warn({ err: error }, 'containers of an earlier life were not looked for'));
  return {
    processes,
    agents,
    containers,
    capabilities: {
      code: true,
      platform: process.platform,
      node: process.versions.node,
      containment: processes.containment,
      ...(user ? { run_as: user.name } : {}),
      ...(python ? { python } : {}),
      ...(engine ? { container: engine.kind, [engine.kind]: engine.version } : {}),
    },
  };
}

/** npm puts the project's own tools first; steps get the machine's. */
export const searchPath = (path: string | undefined): string =>
  (path ?? '/usr/local/bin:/usr/bin:/bin')
    .split(delimiter)
    .filter((folder) => !folder.includes('node_modules'))
    .join(delimiter);

async function version(program: string | undefined, PATH: string): Promise<string | undefined> {
  if (!program) return undefined;
  try {
    const { stdout } = await execute(program, ['--version'], { env: { PATH }, timeout: 5_000 });
    return /\d+(\.\d+)+/.exec(stdout)?.[0];
  } catch {
    return undefined; // it is there and does not work
  }
}
