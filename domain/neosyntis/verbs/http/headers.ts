import { Type } from 'typebox';
import type { InputProblem } from '../../../errors.ts';
import { headerProblem } from '../../../outbound/request-rules.ts';
import { pointer } from '../../../pointer.ts';
import { isExpression } from '../../expressions.ts';
import { isObject } from '../../json.ts';

/** The headers of a request; numbers and booleans are sent as text. */
export const headers = () =>
  Type.Record(
    Type.String(),
    Type.Union([Type.String({ maxLength: 16_000 }), Type.Number(), Type.Boolean()]),
    { maxProperties: 100 },
  );

/**
 * Headers that cannot be sent, or are given by another argument, at pointers into the arguments.
 * @param taken in lower case.
 */
export function headerProblems(given: unknown, taken: readonly string[]): InputProblem[] {
  if (!isObject(given)) return [];
  return Object.entries(given).flatMap(([name, value]) => {
    const path = pointer('/headers', name);
    if (taken.includes(name.toLowerCase()))
      return [{ path, message: 'is made from another argument: leave one of them out' }];
    const message = headerProblem(name, isExpression(value) ? '' : String(value));
    return message === undefined ? [] : [{ path, message }];
  });
}
