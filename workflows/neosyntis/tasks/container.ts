import type { ContainerStep } from '../../../domain/neosyntis/code.ts';
import {
  type Container,
  imageProblem,
  nameProblem,
  portProblem,
  volumeProblem,
} from '../../../domain/neosyntis/dsl/container.ts';
import { durationMs } from '../../../domain/neosyntis/duration.ts';
import { isObject } from '../../../domain/neosyntis/json.ts';
import type { Wanted } from '../../../domain/system/placement.ts';
import type { Json } from '../../../domain/wire.ts';
import type { Variables } from '../engine/evaluator.ts';
import { failure } from '../engine/problem.ts';

/** What of a container is evaluated besides what all code steps have. */
export const containerTemplate = ({ image, name, ports, volumes }: Container) => ({
  image,
  name: name ?? null,
  ports: ports ?? {},
  volumes: volumes ?? {},
});

/** A host for it has docker or podman; which, the step may say itself. */
export const withEngine = ({ capabilities, ...wanted }: Wanted): Wanted => ({
  ...wanted,
  capabilities: { container: null, ...capabilities },
});

const pulls = { ifNotPresent: 'missing', always: 'always', never: 'never' } as const;

type Own = Pick<
  ContainerStep,
  'kind' | 'image' | 'name' | 'of' | 'command' | 'ports' | 'volumes' | 'pull' | 'removeAfterMs'
>;

/**
 * The container as its host is told; what expressions gave is checked here.
 * @throws TaskFailure `validation`
 */
export function containerStep(
  { command, lifetime, pullPolicy = 'ifNotPresent' }: Container,
  { image, name, ports, volumes }: { [name: string]: Json },
  { workflow, task }: Variables,
): Own {
  const document = at(at(workflow, 'definition'), 'document');
  const own = name === null || name === undefined ? undefined : text(name, 'name', nameProblem);
  return {
    kind: 'container',
    image: text(image, 'image', imageProblem),
    ...(own === undefined ? {} : { name: own }),
    of: {
      workflow: word(at(document, 'name')),
      namespace: word(at(document, 'namespace')),
      task: word(at(task, 'name')),
    },
    ...(command === undefined ? {} : { command }),
    ports: entries(ports).map(([port, host]) => {
      wrong(`ports.${port}`, portProblem(port, host));
      return { container: Number(port), host: Number(host) };
    }),
    volumes: entries(volumes).map(([folder, path]) => {
      const whole = text(path, `volumes.${folder}`, (value) => volumeProblem(folder, value));
      return { folder, path: whole.replace(/:(ro|rw)$/, ''), readOnly: whole.endsWith(':ro') };
    }),
    pull: pulls[pullPolicy],
    removeAfterMs: removal(lifetime),
  };
}

/** A container without `lifetime` is removed: one a run would stay for ever. */
function removal(lifetime: Container['lifetime']): number | 'never' {
  if (lifetime?.cleanup === 'never') return 'never';
  const ms = lifetime?.after === undefined ? 0 : durationMs(lifetime.after);
  return typeof ms === 'number' ? ms : 0; // checked at save
}

function text(value: Json | undefined, what: string, problem: (value: string) => string | undefined): string {
  const found = typeof value === 'string' ? value : JSON.stringify(value);
  wrong(what, typeof value === 'string' ? problem(value) : `must be text, found ${found?.slice(0, 100)}`);
  return found ?? '';
}

function wrong(what: string, problem: string | undefined): void {
  if (problem !== undefined) throw failure('validation', `run.container.${what} ${problem}.`);
}

const at = (value: Json | undefined, key: string): Json | undefined =>
  isObject(value) ? (value as { [key: string]: Json })[key] : undefined; // it is an object

const word = (value: Json | undefined): string => (typeof value === 'string' ? value : '');

const entries = (value: Json | undefined): [string, Json][] =>
  isObject(value) ? Object.entries(value as { [key: string]: Json }) : []; // it is an object
