import type { CheckedDefinition } from '../../db/neosyntis/workflow-versions.ts';
import type { Principal } from '../../domain/auth/principal.ts';
import { AppError, type InputProblem } from '../../domain/errors.ts';
import {
  type CheckExpressions,
  type CheckOptions,
  validateDocument,
  validateSteps,
} from '../../domain/neosyntis/definition.ts';
import { secretsOfDocument, secretsOfSteps } from '../../domain/neosyntis/definition-secrets.ts';
import type { Document } from '../../domain/neosyntis/dsl.ts';
import type { SecretMention } from '../../domain/neosyntis/sealed.ts';
import type { Sources } from '../../domain/neosyntis/sources.ts';
import { asItRuns } from '../../domain/neosyntis/use.ts';
import { verbs } from '../../domain/neosyntis/verbs.ts';
import { countTasks, usesCode } from '../../domain/neosyntis/walk.ts';
import type { NewSchedule } from '../../domain/system/schedules.ts';
import type { Json } from '../../domain/wire.ts';
import { cronProblem, zoneProblem } from '../../drivers/schedules/cron.ts';
import { parseYaml } from '../http/yaml.ts';
import { createCheckTime } from './check-time.ts';
import { createGathering } from './gathering.ts';
import type { SourceReader } from './sources.ts';

const root = '/steps';
const checkTiming = { cron: cronProblem, zone: zoneProblem };

type Checked = CheckedDefinition & { secrets: SecretMention[] };

export type Definitions = ReturnType<typeof createDefinitions>;

/** Turns what people send into definitions that can run. */
export function createDefinitions(checkExpressions: CheckExpressions, reader: SourceReader) {
  const time = createCheckTime();
  const validate = (
    { userId }: Principal,
    steps: readonly Json[],
    { use, evaluate, sources }: Pick<CheckOptions, 'use' | 'evaluate' | 'sources'>,
  ) =>
    time.spend(userId, () => validateSteps(steps, { root, checkExpressions, verbs, use, evaluate, sources }));
  const validateWhole = ({ userId }: Principal, value: unknown, sources?: Sources) =>
    time.spend(userId, () =>
      validateDocument(value, { root: '', checkExpressions, verbs, checkTiming, sources }),
    );
  const { ofSteps, ofDocument } = createGathering({ time, reader, validate, validateWhole, root });

  return {
    /** Every problem of a list of steps, how many tasks it has, and the secrets that it names. */
    async problems(
      user: Principal,
      steps: readonly Json[],
    ): Promise<{ errors: InputProblem[]; tasks: number; secrets: SecretMention[] }> {
      try {
        const sources = await ofSteps(user, user.userId, steps);
        const checked = validate(user, steps, { sources });
        return checked.ok
          ? {
              errors: [],
              tasks: countTasks(checked),
              secrets: secretsOfSteps(steps, checked.do, root, { sources }),
            }
          : { errors: checked.errors, tasks: 0, secrets: [] };
      } catch (error) {
        if (!(error instanceof AppError) || !error.details.errors) throw error;
        return { errors: error.details.errors, tasks: 0, secrets: [] };
      }
    },

    /** What steps, or a document, name that is elsewhere: read now, for the owner. */
    sourcesOfSteps: ofSteps,
    sourcesOfDocument: ofDocument,

    /**
     * @param base the document whose other parts stay, when its steps are changed.
     * @throws AppError `invalid` with every problem; `forbidden` when it runs code and the user may not; `conflict`
     *   when they name what is not among the sources.
     */
    check(
      user: Principal,
      name: string,
      steps: readonly Json[],
      { base, sources }: { base?: Document; sources: Sources },
    ): Checked {
      const checked = validate(user, steps, {
        use: base?.use,
        evaluate: base?.evaluate,
        sources,
      });
      if (!checked.ok) throw invalid('steps have', checked.errors);
      if (!checked.isWhole) throw changedMeanwhile();
      const {
        sources: _before,
        loose: _then,
        ...kept
      } = base ?? {
        document: { dsl: '1.0.3', namespace: 'default', name: slug(name), version: '0.1.0', title: name },
      };
      const document = withRead({ ...kept, do: checked.do }, { sources, loose: checked.loose });
      return {
        ...allowed(user, document, steps),
        secrets: secretsOfSteps(steps, checked.do, root, document),
      };
    },

    /** A document as YAML. @throws AppError `bad_request` where it is none. */
    readYaml: (text: string, { userId }: Principal): unknown => time.spend(userId, () => parseYaml(text)),
    /**
     * A document that begins at other times from now on, or by itself no more.
     * @throws AppError as `check` does, with problems where they are in `schedule`.
     */
    checkSchedule(user: Principal, document: Document, schedule: NewSchedule | undefined): CheckedDefinition {
      const { sources, loose: _then, ...plain } = document;
      const value = withSchedule(plain, schedule);
      const checked = validateWhole(user, value, sources);
      if (!checked.ok) {
        const asSent = (path: string) => path.replace(/^\/schedule/, '').replace(/^\/document\/metadata/, '');
        throw invalid(
          'schedule has',
          checked.errors.map(({ path, message }) => ({ path: asSent(path), message })),
        );
      }
      return allowed(
        user,
        withRead(checked.document, { ...checked, sources }),
        checked.document.do as Json[],
      ); // a definition is JSON
    },

    /** A whole document. @throws AppError as `check` does. */
    checkDocument(user: Principal, value: unknown, sources: Sources = {}): Checked {
      const checked = validateWhole(user, value, sources);
      if (!checked.ok) throw invalid('document has', checked.errors);
      if (!checked.isWhole) throw changedMeanwhile();
      const document = withRead(checked.document, { ...checked, sources });
      const definition = allowed(user, document, document.do as Json[]); // a definition is JSON
      return { ...definition, secrets: secretsOfDocument(document) };
    },
  };
}

function withSchedule(document: Document, schedule: NewSchedule | undefined): object {
  const { schedule: _before, document: head, ...rest } = document;
  const { timezone: _zone, ...metadata } = head.metadata ?? {};
  if (!schedule) return { ...rest, document: head };
  const { timezone, ...timing } = schedule;
  const zoned = { ...head, metadata: timezone === undefined ? metadata : { ...metadata, timezone } };
  return { document: zoned, ...rest, schedule: timing };
}

/** A document with what was found out when it was checked, so that no run has to. */
const withRead = (
  document: Document,
  { sources = {}, loose }: { sources?: Sources | undefined; loose: string[] },
): Document => ({
  ...document,
  ...(Object.keys(sources).length === 0 ? {} : { sources }),
  ...(loose.length === 0 ? {} : { loose }),
});

const changedMeanwhile = () =>
  new AppError('conflict', 'The workflow was changed at the same time; nothing was saved. Try again.');

const invalid = (what: string, errors: InputProblem[]) =>
  new AppError('invalid', `The ${what} ${errors.length} problem(s): ${errors[0]?.message}`, { errors });

function allowed(user: Principal, document: Document, steps: readonly Json[]): CheckedDefinition {
  const definition = { document, steps: [...steps], usesCode: usesCode(asItRuns(document)) };
  requireCode(user, definition.usesCode);
  return definition;
}

/** Code on a host is for those to whom an administrator granted it, at save and at each run. */
export const mayRunCode = (user: Principal): boolean =>
  user.permissions.has('neosyntis:workflows:execute_code');

export function requireCode(user: Principal, isNeeded: boolean): void {
  if (!isNeeded || mayRunCode(user)) return;
  throw new AppError(
    'forbidden',
    'It runs code on a host (run: shell, script or container). An administrator can grant neosyntis:workflows:execute_code.',
  );
}

/** A name as the specification wants it: letters, digits and hyphens, at most 63. */
const slug = (name: string) =>
  name
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '-')
    .slice(0, 63)
    .replaceAll(/^-+|-+$/g, '') || 'workflow';
