import type { DataSchema } from '../../../domain/neosyntis/dsl/data-schema.ts';
import type { CheckResult, GuardedCheck } from '../../../domain/neosyntis/guarded.ts';
import type { Json } from '../../../domain/wire.ts';
import type { Budget } from './budget.ts';
import { failure } from './problem.ts';

/** @throws TaskFailure `validation` when the value does not fit, `configuration` when it cannot be told. */
export type SchemaChecker = (schema: DataSchema | undefined, value: Json, what: string) => Promise<void>;

const DETAIL_LENGTH = 2_000;

/** Checks data against the schemas of a document, outside of the workflow: users' schemas may take long. */
export function createSchemaChecker(options: {
  check(check: GuardedCheck): Promise<CheckResult>;
  budget: Budget;
}): SchemaChecker {
  return async (schema, value, what) => {
    if (schema === undefined || schema.document === true) return;
    const result = await options.budget.inTurn(
      () => options.check({ schema: schema.document, value }),
      (answer) => JSON.stringify(answer).length,
    );
    if ('problem' in result)
      throw failure(
        'configuration',
        `Its ${what} could not be checked against its schema: ${result.problem}.`,
      );
    const { mismatches } = result;
    if (mismatches.length === 0) return;
    const places = mismatches.map(({ path, message }) => `${path || '(all of it)'} ${message}`).join('; ');
    throw failure('validation', `Its ${what} does not fit its schema: ${places}`.slice(0, DETAIL_LENGTH));
  };
}
