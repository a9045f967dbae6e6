import type { CheckedDefinition } from '../../db/neosyntis/workflows.ts';
import type { Principal } from '../../domain/auth/principal.ts';
import { AppError, type InputProblem } from '../../domain/errors.ts';
import { type CheckExpressions, secretsOfSteps, validateSteps } from '../../domain/neosyntis/definition.ts';
import type { Document } from '../../domain/neosyntis/dsl.ts';
import type { SecretMention } from '../../domain/neosyntis/sealed.ts';
import { verbs } from '../../domain/neosyntis/verbs.ts';
import { countTasks, usesCode } from '../../domain/neosyntis/walk.ts';
import type { Json } from '../../domain/wire.ts';

const root = '/steps';

export type Definitions = ReturnType<typeof createDefinitions>;

/** Turns the steps that people send into definitions that can run. */
export function createDefinitions(checkExpressions: CheckExpressions) {
  const validate = (steps: readonly Json[]) => validateSteps(steps, { root, checkExpressions, verbs });
  return {
    /** Every problem of a list of steps, how many tasks it has, and the secrets that it names. */
    problems(steps: readonly Json[]): { errors: InputProblem[]; tasks: number; secrets: SecretMention[] } {
      const checked = validate(steps);
      return checked.ok
        ? { errors: [], tasks: countTasks(checked), secrets: secretsOfSteps(steps, checked.do, root) }
        : { errors: checked.errors, tasks: 0, secrets: [] };
    },

    /**
     * @throws AppError `invalid` with every problem; `forbidden` when it runs code and the user may not.
     */
    check(
      user: Principal,
      name: string,
      steps: readonly Json[],
    ): CheckedDefinition & { secrets: SecretMention[] } {
      const checked = validate(steps);
      if (!checked.ok)
        throw new AppError(
          'invalid',
          `The steps have ${checked.errors.length} problem(s): ${checked.errors[0]?.message}`,
          {
            errors: checked.errors,
          },
        );
      const document: Document = {
        document: { dsl: '1.0.3', namespace: 'default', name: slug(name), version: '0.1.0', title: name },
        do: checked.do,
      };
      const definition = { document, steps: [...steps], usesCode: usesCode(document) };
      requireCode(user, definition.usesCode);
      return { ...definition, secrets: secretsOfSteps(steps, checked.do, root) };
    },
  };
}

/** Code on a host is for those to whom an administrator granted it, at save and at each run. */
export function requireCode(user: Principal, isNeeded: boolean): void {
  if (!isNeeded || user.permissions.has('neosyntis:workflows:execute_code')) return;
  throw new AppError(
    'forbidden',
    'It runs code on a host (run: shell or script). An administrator can grant neosyntis:workflows:execute_code.',
  );
}

/** A name as the specification wants it: letters, digits and hyphens, at most 63. */
const slug = (name: string) =>
  name
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '-')
    .slice(0, 63)
    .replaceAll(/^-+|-+$/g, '') || 'workflow';
