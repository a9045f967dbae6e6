import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Settled } from '../../domain/myntrix/agent-configuration.ts';
import type { AgentOrder } from '../../domain/myntrix/agent-reports.ts';
import { brokenVariable, envFileText, limits } from '../containers/command-line.ts';
import type { Engine } from '../containers/engine.ts';
import { type Lent, mountsOf } from '../containers/volumes.ts';

const execute = promisify(execFile);

/** Killing and removing a container may take the engine seconds. */
const ANSWERS_WITHIN_MS = 30_000;

/** Its containers are not those of steps, which end with the host. */
const LABEL = 'vareon.agent';

export interface AgentContainersOptions {
  engine: Engine;
  PATH: string;
  lent: Lent;
}

export type AgentContainers = ReturnType<typeof createAgentContainers>;

/**
 * Containers of agents. The agent's process is the engine's client, which passes signals on and what is printed through;
 * it goes on by itself as any agent does. The client's death ends no container: the engine is asked to, by label.
 */
export function createAgentContainers({ engine, PATH, lent }: AgentContainersOptions) {
  const env = { PATH, ...engine.env };
  const ask = async (...args: string[]): Promise<string[]> => {
    const { stdout } = await execute(engine.program, args, { env, timeout: ANSWERS_WITHIN_MS });
    return stdout.split('\n').filter((line) => line !== '');
  };
  const find = (id: string, ...more: string[]) =>
    ask('ps', '--quiet', `--filter=label=${LABEL}=${id}`, ...more);

  async function remove(id: string): Promise<void> {
    const found = await find(id, '--all');
    if (found.length === 0) return;
    await ask('rm', '--force', '--volumes', ...found).catch(async (error: unknown) => {
      // It may have ended by itself meanwhile, and the engine has removed it.
      if ((await find(id, '--all')).length > 0) throw error;
    });
  }

  return {
    env,
    remove,

    /**
     * The client and its arguments; what an earlier start left is removed before.
     * @param folder of the host alone: the variables are in it
     * @returns why not, as text
     */
    async argv(order: AgentOrder, settings: Settled, number: number, folder: string) {
      const { id, name } = order;
      const { image = '', command, args, ports = {}, volumes = {}, pull = 'missing' } = settings;
      const broken = brokenVariable(settings.env);
      if (broken !== undefined) return `env.${broken} has a line end, which containers do not take`;
      const mounts = await mountsOf(
        Object.entries(volumes).map(([lentFolder, path]) => ({
          folder: lentFolder,
          path: path.replace(/:(ro|rw)$/, ''),
          readOnly: path.endsWith(':ro'),
        })),
        lent,
      );
      if (typeof mounts === 'string') return mounts;
      const envFile = join(folder, 'container.env');
      const platformEnv = { VAREON_AGENT_ID: id, VAREON_AGENT_NAME: name };
      await writeFile(envFile, envFileText({ ...settings.env, ...platformEnv }), { mode: 0o600 });
      await remove(id);
      // Files that a container with the rights of root leaves there would have them on the host, too.
      const user = mounts.length > 0 && lent.owner ? [`--user=${lent.owner.uid}:${lent.owner.gid}`] : [];
      return [
        engine.program,
        'run',
        '--quiet',
        '--rm',
        `--name=vareon-agent-${id}-${number}`,
        `--label=${LABEL}=${id}`,
        `--pull=${pull}`,
        ...limits,
        `--env-file=${envFile}`,
        ...user,
        ...Object.entries(ports).map(([container, host]) => `--publish=127.0.0.1:${host}:${container}`),
        ...mounts.map(
          ({ source, target, readOnly }) =>
            `--mount=type=bind,source=${source},target=${target}${readOnly ? ',readonly' : ''}`,
        ),
        ...(command === undefined ? [] : [`--entrypoint=${command}`]),
        image,
        ...args,
      ] satisfies [string, ...string[]];
    },

    /** The pid that the first process of the container has on this machine; nothing where the engine is elsewhere. */
    async firstPid(id: string): Promise<number | undefined> {
      const [container] = await find(id);
      if (container === undefined) return undefined;
      const pid = Number((await ask('inspect', '--format={{.State.Pid}}', container))[0]);
      return pid > 0 ? pid : undefined;
    },

    /** How a command runs inside of the container, by the client. */
    inside: (id: string) => ({
      env,
      user: undefined,
      async wrap(argv: string[]): Promise<string[]> {
        const [container] = await find(id);
        if (container === undefined) throw new Error('its container does not run');
        return [engine.program, 'exec', container, ...argv];
      },
    }),
  };
}
