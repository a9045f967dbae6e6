import { Ajv, type ErrorObject, type ValidateFunction } from 'ajv';
import addFormats from 'ajv-formats';
import type { TSchema } from 'typebox';
import { AppError, type InputProblem } from '../../domain/errors.ts';
import { pointer } from '../../domain/pointer.ts';

const options = { strict: true, allErrors: true, allowUnionTypes: true, verbose: true } as const;

/** A person mends these first. A body of 1 MiB can have 200,000 problems, and each takes more room than it does. */
const MAX_PROBLEMS = 100;
/** Of values with more parts than this only the first problem is looked for. */
const MAX_PARTS = 5_000;

export type Check = (value: unknown) => void;

/**
 * Compiles a route's schema once, at its first request: most routes of a process are never asked. The check throws `invalid` with the problems at their JSON pointers: all of a value
 * as people send it, the first one of a value so large that finding all would keep everybody else waiting.
 */
export function createChecker(): { body: (schema: TSchema) => Check; text: (schema: TSchema) => Check } {
  const first = formats(new Ajv({ ...options, allErrors: false }));
  const strict = formats(new Ajv(options));
  // Query and path values arrive as text.
  const coercing = formats(new Ajv({ ...options, coerceTypes: 'array', useDefaults: true }));
  return {
    body(schema) {
      const small = once(() => check(strict.compile(schema), 'The body'));
      const large = once(() => check(first.compile(schema), 'The body'));
      return (value) => (hasParts(value, MAX_PARTS) ? large : small)()(value);
    },
    text(schema) {
      const made = once(() => check(coercing.compile(schema), 'The query'));
      return (value) => made()(value);
    },
  };
}

function once<T>(make: () => T): () => T {
  let made: T | undefined;
  return () => {
    made ??= make();
    return made;
  };
}

/** Whether a value has more than so many values within. */
function hasParts(value: unknown, limit: number): boolean {
  const open: unknown[] = [value];
  for (let seen = 0; open.length > 0; seen++) {
    const part = open.pop();
    if (seen + open.length > limit) return true;
    if (part !== null && typeof part === 'object') {
      const inner = Object.values(part);
      if (inner.length > limit) return true;
      open.push(...inner);
    }
  }
  return false;
}

function formats(ajv: Ajv): Ajv {
  addFormats.default(ajv, ['date-time', 'email', 'uri']);
  // As PostgreSQL reads them: ajv-formats would let `urn:uuid:` through.
  ajv.addFormat('uuid', /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i);
  return ajv;
}

const check =
  (validate: ValidateFunction, what: string): Check =>
  (value) => {
    const isValid = validate(value);
    const errors = isValid
      ? infinities(value)
      : unique((validate.errors ?? []).filter((error) => !isUnionNoise(error)).map(problem));
    if (errors.length === 0) return;
    throw new AppError(
      'invalid',
      `${what} has ${count(errors.length)}: ${errors[0]?.message ?? 'it is not valid'}`,
      { errors: errors.slice(0, MAX_PROBLEMS) },
    );
  };

/** Text such as 1e400 becomes Infinity, which Ajv holds to no limit. */
const infinities = (value: unknown): InputProblem[] =>
  Object.entries(value ?? {}).flatMap(([name, item]) =>
    typeof item === 'number' && !Number.isFinite(item)
      ? [{ path: pointer('', name), message: `${name} must be a finite number` }]
      : [],
  );

const count = (n: number) => (n === 1 ? 'a problem' : `${n} problems`);

/** `anyOf` itself adds nothing to what its branches say. */
const isUnionNoise = (error: ErrorObject) => error.keyword === 'anyOf' && error.schemaPath.includes('/anyOf');

function problem(error: ErrorObject): InputProblem {
  if (error.keyword === 'additionalProperties') {
    const name = String(error.params.additionalProperty);
    const known = Object.keys((error.parentSchema as { properties?: object }).properties ?? {});
    return {
      path: pointer(error.instancePath, name),
      message: `unknown field "${name}"; known here: ${known.join(', ') || 'none'}`,
    };
  }
  if (error.keyword === 'required') {
    const name = String(error.params.missingProperty);
    return { path: pointer(error.instancePath, name), message: `"${name}" is missing` };
  }
  const where = error.instancePath.slice(1) || 'the value';
  const choices = error.keyword === 'enum' ? `: ${(error.params.allowedValues as unknown[]).join(', ')}` : '';
  return { path: error.instancePath, message: `${where} ${error.message ?? 'is not valid'}${choices}` };
}

function unique(problems: InputProblem[]): InputProblem[] {
  const seen = new Map(problems.map((item) => [`${item.path} ${item.message}`, item]));
  return [...seen.values()];
}
