import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { boundToUs } from '../../local/child/parent-death.ts';
import { type Client, until } from './client.ts';

/** Hosts have process groups of their own: tests that are killed take them along by this. */
const [file = process.execPath, ...bound] = [...(await boundToUs('SIGKILL')), process.execPath];

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

export interface TestHost {
  pid: number;
  dataDir: string;
  /** What it wrote so far. */
  output(): string;
  /** To its process group, as a machine that loses power does to all. */
  signal(signal: NodeJS.Signals): void;
  /** Its exit code, or the signal that ended it. */
  ended: Promise<number | NodeJS.Signals>;
}

export interface Platform {
  url: string;
  api: Client;
  token: string;
}

/** Starts real worker hosts, as a person does on another machine, and ends them. */
export function createHosts({ url, api, token }: Platform) {
  const started: TestHost[] = [];
  const folders: string[] = [];

  const newFolder = (): string => {
    const folder = mkdtempSync(join(tmpdir(), 'vareon-host-'));
    folders.push(folder);
    return folder;
  };

  async function newToken(body: object = {}): Promise<string> {
    const answer = await api('POST', '/api/hosts/enrolments', { token, body });
    if (answer.status !== 201) throw new Error(`enrolment: ${answer.text}`);
    return answer.body.token;
  }

  function start(args: string[], dataDir = newFolder(), env: Record<string, string> = {}): TestHost {
    const { PATH, HOME, LANG } = process.env;
    const NODE_COMPILE_CACHE = join(root, 'node_modules/.cache/vareon/compile');
    const child = spawn(
      file,
      [...bound, join(root, 'workers/host.ts'), '--api', url, '--data-dir', dataDir, ...args],
      {
        cwd: root,
        env: { PATH, HOME, LANG, NODE_COMPILE_CACHE, ...env },
        detached: true,
        stdio: ['ignore', 'pipe', 'pipe'],
      },
    );
    let output = '';
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (chunk) => {
        output += chunk;
      });
    const ended = new Promise<number | NodeJS.Signals>((resolve) =>
      child.once('close', (code, signal) => resolve(signal ?? code ?? -1)),
    );
    const host: TestHost = {
      pid: child.pid ?? 0,
      dataDir,
      output: () => output,
      signal: (signal) => {
        if (child.exitCode === null && child.signalCode === null) process.kill(-host.pid, signal);
      },
      ended,
    };
    started.push(host);
    return host;
  }

  // biome-ignore lint/suspicious/noExplicitAny: tests look into hosts of many shapes
  const look = async (name: string): Promise<any> => {
    const { body } = await api('GET', '/api/hosts', { token });
    return body.find((host: { name: string }) => host.name === name);
  };

  const untilStatus = (name: string, status: string, withinMs = 60_000) =>
    until(
      () => look(name),
      (host) => host?.status === status,
      withinMs,
    );

  /** Enrols and starts a host, and waits until it is there. */
  async function join_(
    name: string,
    { capabilities = [] as string[], enrolment = {} as object, env = {} as Record<string, string> } = {},
  ) {
    const flags = capabilities.flatMap((capability) => ['--capability', capability]);
    const host = start(['--name', name, '--token', await newToken(enrolment), ...flags], newFolder(), env);
    await Promise.race([
      untilStatus(name, 'online', 150_000),
      host.ended.then((how) => {
        throw new Error(`the host ended (${how}): ${host.output()}`);
      }),
    ]);
    return host;
  }

  return {
    newFolder,
    newToken,
    start,
    look,
    untilStatus,
    join: join_,
    async close() {
      for (const host of started) {
        host.signal('SIGCONT');
        host.signal('SIGKILL');
      }
      await Promise.all(started.map(({ ended }) => ended));
      for (const folder of folders) rmSync(folder, { recursive: true, force: true });
    },
  };
}
