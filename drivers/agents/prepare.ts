import { chown, mkdir, open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type AgentOrder, settled } from '../../domain/myntrix/agents.ts';
import { buildEnvironment, checkEnvironment, type HostEnvironment } from '../processes/environment.ts';
import { findProgram, lendNode } from '../processes/programs.ts';
import type { RunAs } from '../processes/run-as.ts';
import { stepOf } from './tree.ts';

export interface Prepared {
  argv: readonly [string, ...string[]];
  env: Record<string, string>;
  cwd: string;
}

export interface PrepareOptions {
  /** Where agents have their working folders; others may pass through it. */
  home: string;
  hostEnvironment: HostEnvironment;
  user: RunAs | undefined;
}

/** Makes ready what an order asks for. @returns what hinders it, as a text. */
export function createPrepare({ home, hostEnvironment, user }: PrepareOptions) {
  let node: Promise<string> | undefined;

  async function ownFolder(id: string): Promise<string> {
    const folder = join(home, id);
    await mkdir(folder, { recursive: true, mode: 0o700 });
    if (user) await chown(folder, user.uid, user.gid);
    return folder;
  }

  /** The interpreter and what it is to read; a plain command is itself. */
  async function commandOf(order: AgentOrder, folder: string): Promise<[string, ...string[]]> {
    const { runtime, command = '', script, code, args } = settled(order.configuration);
    if (runtime === 'process') return [command, ...args];
    const file = script ?? join(folder, runtime === 'node' ? 'agent.mjs' : 'agent.py');
    if (code !== undefined) {
      // In the agent's own folder, under a name that it may have put a link at: written as a new file.
      await rm(file, { force: true });
      const made = await open(file, 'wx', 0o600);
      await made.writeFile(code);
      if (user) await made.chown(user.uid, user.gid);
      await made.close();
    }
    if (runtime === 'python') return ['python3', '-u', file, ...args];
    node ??= lendNode(process.execPath, home, user);
    return [await node, file, ...args];
  }

  return async (order: AgentOrder, number: number): Promise<Prepared | string> => {
    const { configuration, id, name } = order;
    const env = configuration.env ?? {};
    const wrong = checkEnvironment(env);
    if (wrong) return wrong;
    const folder = await ownFolder(id);
    const [program, ...rest] = await commandOf(order, folder);
    const found = await findProgram(program, env.PATH ?? hostEnvironment.PATH, user);
    if (found === undefined)
      return `${program} is not a program on this host${user ? ` that the user ${user.name} can run` : ''}`;
    return {
      argv: [found, ...rest],
      env: buildEnvironment(
        hostEnvironment,
        { id: stepOf(id, number), env, platformEnv: { VAREON_AGENT_ID: id, VAREON_AGENT_NAME: name } },
        folder,
      ),
      cwd: configuration.cwd ?? folder,
    };
  };
}
