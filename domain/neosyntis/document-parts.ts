import type { InputProblem } from '../errors.ts';
import { pointer } from '../pointer.ts';
import { timeoutProblems } from './dsl/base.ts';
import { dataSchemaProblems, resourceExpressions } from './dsl/data-schema.ts';
import { isObject } from './json.ts';
import { onUnknownProblem } from './on-unknown.ts';

/** Where a document itself has expressions, besides its tasks. */
export const documentFields = (value: Record<string, unknown>) =>
  [
    ['input', 'from'],
    ['output', 'as'],
  ].flatMap(([field = '', key = '']) => {
    const part = value[field];
    return isObject(part)
      ? [{ path: [field, key], value: part[key], bare: true }, resourceExpressions(field, part)]
      : [];
  });

/** What is beyond a limit in the document itself. */
export const limitProblems = (value: Record<string, unknown>, root: string): InputProblem[] => {
  const found = [...timeoutProblems(value), ...dataSchemaProblems(value, ['input', 'output'])].map(
    ({ path, below = '', message }) => ({ path: pointer(root, ...path) + below, message }),
  );
  const message = onUnknownProblem(isObject(value.document) ? value.document.metadata : undefined);
  const path = pointer(root, 'document', 'metadata', 'onUnknown');
  return message === undefined ? found : [...found, { path, message }];
};

/** Parts of a document that the specification has and we do not, by name. */
export function refusedParts(value: Record<string, unknown>, root: string): InputProblem[] {
  const { evaluate } = value;
  const ways = Object.entries({ language: ['jq'], mode: ['strict', 'loose'] }).filter(
    ([key, known]) =>
      isObject(evaluate) && Object.hasOwn(evaluate, key) && !known.some((one) => one === evaluate[key]),
  );
  return ways.map(([key, known]) => ({
    path: pointer(root, 'evaluate', key),
    message: `\`evaluate.${key}\` other than ${known.map((one) => `\`${one}\``).join(' and ')} is not supported`,
  }));
}
