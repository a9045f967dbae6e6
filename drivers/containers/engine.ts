import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { findProgram } from '../processes/programs.ts';

const execute = promisify(execFile);

/** A program that starts containers, and works. */
export interface Engine {
  kind: 'docker' | 'podman';
  program: string;
  version: string;
  /** What the program needs of the host's own environment; nothing of it reaches a container. */
  env: Record<string, string>;
}

/** A daemon that does not answer is none. */
const ANSWERS_WITHIN_MS = 5_000;

/** What says where the engine is and what it keeps. */
const own =
  /^(HOME|XDG_RUNTIME_DIR|XDG_CONFIG_HOME|XDG_DATA_HOME|DOCKER_\w+|CONTAINER_(HOST|CONNECTION|SSHKEY)|CONTAINERS_\w+|STORAGE_\w+|REGISTRY_AUTH_FILE|HTTPS?_PROXY|NO_PROXY|https?_proxy|no_proxy)$/;

/** The versions of what does the work: docker's is its daemon's. */
const versions: Record<Engine['kind'], string> = {
  docker: '{{.Server.Version}}',
  podman: '{{.Client.Version}}',
};

/** Looks for docker, then podman, as the user that the host itself runs as. */
export async function findEngine(
  PATH: string,
  environment: Readonly<Record<string, string | undefined>>,
): Promise<Engine | undefined> {
  const env = Object.fromEntries(
    Object.entries(environment).flatMap(([name, value]) =>
      own.test(name) && value !== undefined ? [[name, value] as const] : [],
    ),
  );
  for (const kind of ['docker', 'podman'] as const) {
    const program = await findProgram(kind, PATH, undefined);
    if (program === undefined) continue;
    try {
      const { stdout } = await execute(program, ['version', '--format', versions[kind]], {
        env: { PATH, ...env },
        timeout: ANSWERS_WITHIN_MS,
        killSignal: 'SIGKILL',
      });
      const version = /\d+(\.\d+)+/.exec(stdout)?.[0];
      if (version !== undefined) return { kind, program, version, env };
    } catch {
      // It is installed, and its daemon does not answer or is not ours to ask: the next one's turn.
    }
  }
  return undefined;
}
