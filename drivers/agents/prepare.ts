import { chown, mkdir, open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type Settled, settled } from '../../domain/myntrix/agent-configuration.ts';
import type { AgentOrder } from '../../domain/myntrix/agent-reports.ts';
import { buildEnvironment, checkEnvironment, type HostEnvironment } from '../processes/environment.ts';
import { findProgram, lendNode } from '../processes/programs.ts';
import type { RunAs } from '../processes/run-as.ts';
import type { AgentContainers } from './containers.ts';
import { createPythons } from './python.ts';
import { stepOf } from './tree.ts';

/** What a start runs, and as whom. */
export interface Prepared {
  argv: readonly [string, ...string[]];
  env: Record<string, string>;
  cwd: string;
  user: RunAs | undefined;
  /** It is the client of a container. */
  container: boolean;
  /** The next start of the same order needs nothing else. */
  isReusable: boolean;
}

export interface PrepareOptions {
  /** Where agents have their working folders; others may pass through it. */
  home: string;
  /** Where the host keeps what is an agent's; nobody else may look there. */
  root: string;
  hostEnvironment: HostEnvironment;
  user: RunAs | undefined;
  containers: AgentContainers | undefined;
  flock: string | undefined;
}

/** What preparing may take: where it prints to, and when it is to be given up. */
export interface Preparing {
  output: string;
  signal: AbortSignal;
}

export type Prepare = (order: AgentOrder, number: number, how: Preparing) => Promise<Prepared | string>;

type Command = [string, ...string[]];

/** The same for another start of the same order: each has a mark of its own. */
export const renewed = (prepared: Prepared, id: string, number: number): Prepared => ({
  ...prepared,
  env: { ...prepared.env, VAREON_STEP: stepOf(id, number) },
});

/** Makes ready what an order asks for. @returns what hinders it, as a text. */
export function createPrepare({
  home,
  root,
  hostEnvironment,
  user,
  containers,
  flock,
}: PrepareOptions): Prepare {
  let node: Promise<string> | undefined;
  const pythonWith = createPythons({ home, PATH: hostEnvironment.PATH, flock, user });

  async function ownFolder(id: string): Promise<string> {
    const folder = join(home, id);
    await mkdir(folder, { recursive: true, mode: 0o700 });
    if (user) await chown(folder, user.uid, user.gid);
    return folder;
  }

  /** The script, written into the agent's own folder when it is given as text. */
  async function scriptOf({ runtime, script, code }: Settled, folder: string): Promise<string> {
    if (code === undefined) return script ?? '';
    const file = join(folder, runtime === 'node' ? 'agent.mjs' : 'agent.py');
    await rm(file, { force: true }); // the agent may have put a link there
    const made = await open(file, 'wx', 0o600);
    await made.writeFile(code);
    if (user) await made.chown(user.uid, user.gid);
    await made.close();
    return file;
  }

  /** The interpreter and what it is to read; a plain command is itself. */
  async function commandOf(
    settings: Settled,
    folder: string,
    PATH: string,
    how: Preparing,
  ): Promise<Command | string> {
    const { runtime, command = '', args, requirements } = settings;
    if (runtime === 'process') return [command, ...args];
    const file = await scriptOf(settings, folder);
    if (runtime === 'node') {
      node ??= lendNode(process.execPath, home, user);
      return [await node, file, ...args];
    }
    if (requirements === undefined || requirements.length === 0) return ['python3', '-u', file, ...args];
    const interpreter = await findProgram('python3', PATH, user);
    if (interpreter === undefined) return 'there is no python3 on this host';
    const found = await pythonWith(interpreter, requirements, how);
    return 'problem' in found ? found.problem : [found.python, '-u', file, ...args];
  }

  async function containerOf(
    order: AgentOrder,
    settings: Settled,
    number: number,
  ): Promise<Prepared | string> {
    if (!containers) return 'this host has neither docker nor podman, or it does not answer';
    const folder = join(root, order.id);
    const argv = await containers.argv(order, settings, number, folder);
    if (typeof argv === 'string') return argv;
    // The client is the host's own: whoever may ask the engine is as good as root.
    return { argv, env: containers.env, cwd: folder, user: undefined, container: true, isReusable: false };
  }

  return async (order, number, how) => {
    const { configuration, id, name } = order;
    const settings = settled(configuration);
    const wrong = checkEnvironment(settings.env);
    if (wrong) return wrong;
    if (settings.runtime === 'container') return containerOf(order, settings, number);
    const folder = await ownFolder(id);
    const PATH = settings.env.PATH ?? hostEnvironment.PATH;
    const command = await commandOf(settings, folder, PATH, how);
    if (typeof command === 'string') return command;
    const [program, ...rest] = command;
    const found = await findProgram(program, PATH, user);
    if (found === undefined)
      return `${program} is not a program on this host${user ? ` that the user ${user.name} can run` : ''}`;
    return {
      argv: [found, ...rest],
      env: buildEnvironment(
        hostEnvironment,
        {
          id: stepOf(id, number),
          env: settings.env,
          platformEnv: { VAREON_AGENT_ID: id, VAREON_AGENT_NAME: name },
        },
        folder,
      ),
      cwd: configuration.cwd ?? folder,
      user,
      container: false,
      isReusable: configuration.code === undefined,
    };
  };
}
