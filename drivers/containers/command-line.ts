import type { ContainerStep } from '../../domain/neosyntis/code.ts';

/** Labels by which a host knows its own containers again. */
export const labels = { step: 'vareon.step', host: 'vareon.host' } as const;

/** What an image may need to start as root and become somebody else; all other capabilities are taken away. */
const kept = ['CHOWN', 'DAC_OVERRIDE', 'FOWNER', 'SETGID', 'SETUID', 'KILL', 'NET_BIND_SERVICE'];

/** What every container is kept from, and that the engine keeps no copy of what it prints: that is ours. */
export const limits: readonly string[] = [
  '--log-driver=none',
  '--security-opt=no-new-privileges',
  '--cap-drop=ALL',
  ...kept.map((capability) => `--cap-add=${capability}`),
];

export interface Mount {
  source: string;
  target: string;
  readOnly: boolean;
}

/**
 * The arguments of `docker run` or `podman run`, each one an argument of its own. Nothing of it comes from a value
 * unchecked, and everything after the image is the container's.
 */
export function runArguments(
  step: ContainerStep,
  given: { hostId: string; envFile: string; mounts: Mount[]; user: string | undefined },
): string[] {
  return [
    'run',
    '--quiet',
    `--name=${containerName(step)}`,
    `--label=${labels.step}=${step.step}`,
    `--label=${labels.host}=${given.hostId}`,
    `--pull=${step.pull}`,
    ...limits, // a second copy of its output would have secrets in it
    `--env-file=${given.envFile}`,
    ...(given.user === undefined ? [] : [`--user=${given.user}`]),
    ...step.ports.map(({ container, host }) => `--publish=127.0.0.1:${host}:${container}`),
    ...given.mounts.map(
      ({ source, target, readOnly }) =>
        `--mount=type=bind,source=${source},target=${target}${readOnly ? ',readonly' : ''}`,
    ),
    ...(step.stdin === undefined ? [] : ['--interactive']),
    ...(step.command === undefined ? [] : ['--entrypoint=/bin/sh']),
    step.image,
    ...(step.command === undefined ? [] : ['-c', step.command, 'sh']),
    ...step.arguments,
  ];
}

/** `{workflow.name}-{uuid}.{workflow.namespace}-{task.name}`; the id of a step begins with its run's UUID. */
export const containerName = ({ name, of, step }: ContainerStep): string =>
  name ?? `${clean(of.workflow)}-${step}.${clean(of.namespace)}-${clean(of.task)}`;

/** What docker takes: it begins with a letter or digit. */
const clean = (word: string): string =>
  word
    .replaceAll(/[^A-Za-z0-9_.-]+/g, '-')
    .replace(/^[^A-Za-z0-9]+/, '')
    .slice(0, 50) || 'x';

/** The variables as an environment file: one line each, taken as it is. */
export const envFileText = (environment: Readonly<Record<string, string>>): string =>
  Object.entries(environment)
    .map(([name, value]) => `${name}=${value}\n`)
    .join('');

/** @returns the variable that a line of a file cannot hold, if there is one. */
export const brokenVariable = (environment: Readonly<Record<string, string>>): string | undefined =>
  Object.entries(environment).find(([, value]) => /[\r\n]/.test(value))?.[0];
