import { AppError } from '../../domain/errors.ts';
import type { Json } from '../../domain/wire.ts';

/** @throws AppError unavailable for a secret that there is not, by its name */
export function secretText(name: string, secrets: Readonly<Record<string, Json>>): string {
  const value = secrets[name];
  if (typeof value === 'string' || typeof value === 'number') return String(value);
  throw new AppError(
    'unavailable',
    value === undefined
      ? `there is no secret ${name} that an administrator shares`
      : `the secret ${name} is neither text nor a number`,
  );
}
