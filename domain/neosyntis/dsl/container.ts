import { type Static, Type } from 'typebox';
import { isExpression } from '../expressions.ts';
import { show } from '../json.ts';
import { DurationOrText, durationProblem } from './base.ts';
import type { KindProblem } from './kind.ts';

const scalar = () => Type.Union([Type.String(), Type.Number(), Type.Boolean()]);

/** Container Lifetime: what becomes of the container once it has ended. */
const Lifetime = Type.Object(
  {
    cleanup: Type.Union([Type.Literal('always'), Type.Literal('never'), Type.Literal('eventually')]),
    after: Type.Optional(DurationOrText),
  },
  { additionalProperties: false },
);

/** `run: container`; values that are wholly `${ … }` are evaluated, all others are literal. */
export const Container = Type.Object(
  {
    image: Type.String({ minLength: 1, maxLength: 1_000 }),
    name: Type.Optional(Type.String({ minLength: 1, maxLength: 1_000 })),
    command: Type.Optional(Type.String({ minLength: 1, maxLength: 100_000 })),
    ports: Type.Optional(
      Type.Record(Type.String(), Type.Union([Type.Integer(), Type.String()]), {
        description: 'container port: port on the host’s loopback',
        maxProperties: 20,
      }),
    ),
    volumes: Type.Optional(
      Type.Record(Type.String(), Type.String({ minLength: 1, maxLength: 1_000 }), {
        description:
          'folder below VAREON_CONTAINER_VOLUMES: path in the container, :ro at its end to only read',
        maxProperties: 20,
      }),
    ),
    environment: Type.Optional(Type.Record(Type.String(), scalar())),
    stdin: Type.Optional(Type.String()),
    arguments: Type.Optional(Type.Array(Type.String(), { maxItems: 1_000 })),
    lifetime: Type.Optional(Lifetime),
    pullPolicy: Type.Optional(
      Type.Union([Type.Literal('ifNotPresent'), Type.Literal('always'), Type.Literal('never')]),
    ),
  },
  { additionalProperties: false },
);
export type Container = Static<typeof Container>;

/** What is wrong with an image's name: one that begins with `-` would be an option. */
export const imageProblem = (image: string): string | undefined =>
  /^[A-Za-z0-9][\w.:/@-]{0,499}$/.test(image)
    ? undefined
    : `must be an image such as alpine:3.20, found ${show(image)}`;

export const nameProblem = (name: string): string | undefined =>
  /^[A-Za-z0-9][\w.-]{1,199}$/.test(name)
    ? undefined
    : `must be 2 to 200 letters, digits, _ . and -, found ${show(name)}`;

const isPort = (port: number) => Number.isInteger(port) && port >= 1 && port <= 65_535;

/** The port on the host comes out of a number or of a text of digits. */
export function portProblem(container: string, host: unknown): string | undefined {
  if (!/^\d{1,5}$/.test(container) || !isPort(Number(container)))
    return `must be a port of the container from 1 to 65535, found ${show(container)}`;
  return isPort(Number(host)) ? undefined : `must be a port from 1 to 65535, found ${show(host)}`;
}

/** A comma or a line end would add options to a mount. */
export function volumeProblem(folder: string, path: string): string | undefined {
  const plain = /^[^,:"\p{Cc}]+$/u;
  if (!plain.test(folder) || folder.split('/').includes('..'))
    return `must be the name of a folder that the host's owner lends, found ${show(folder)}`;
  const inside = path.replace(/:(ro|rw)$/, '');
  if (!plain.test(inside) || !inside.startsWith('/') || inside === '/' || inside.split('/').includes('..'))
    return `must be an absolute path in the container, with :ro at its end to only read, found ${show(path)}`;
  return undefined;
}

/** What a schema cannot say. */
export function containerProblems(container: Container): KindProblem[] {
  const found: KindProblem[] = [];
  const add = (path: string[], message: string | undefined) => {
    if (message !== undefined) found.push({ path: ['run', 'container', ...path], message });
  };
  const unless = (value: string, check: (value: string) => string | undefined) =>
    isExpression(value) ? undefined : check(value);
  const { image, name, command, ports = {}, volumes = {}, lifetime } = container;
  add(['image'], unless(image, imageProblem));
  if (name !== undefined) add(['name'], unless(name, nameProblem));
  if (isExpression(command))
    add(
      ['command'],
      'is literal text and is not evaluated: pass values through `arguments`, `environment` or `stdin`',
    );
  for (const [port, host] of Object.entries(ports))
    add(['ports', port], portProblem(port, isExpression(host) ? 1 : host));
  for (const [folder, path] of Object.entries(volumes))
    add(['volumes', folder], volumeProblem(folder, isExpression(path) ? '/x' : path));
  if (lifetime?.cleanup === 'eventually' && lifetime.after === undefined)
    add(['lifetime'], '`cleanup: eventually` needs `after`, a duration');
  if (lifetime?.after !== undefined)
    add(
      ['lifetime', 'after'],
      lifetime.cleanup === 'eventually'
        ? durationProblem(lifetime.after)
        : 'means something with `cleanup: eventually` only',
    );
  return found;
}
