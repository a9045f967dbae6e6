import { pointer } from '../../pointer.ts';
import { expressionSource, isExpression } from '../expressions.ts';
import type { ExpressionField } from './kind.ts';

/** An expression to check, with the variables it may use besides the built-in ones. */
export interface Expression {
  path: string;
  source: string;
  variables: readonly string[];
  /** Whether it may use `$secrets`. */
  secrets: boolean;
  /** Whether it may use `$authorization`. */
  authorization?: boolean;
  /** It is a regular expression. */
  pattern?: boolean;
}

/** Adds the expressions of these fields, at any depth of their values. */
export function collect(
  found: Expression[],
  fields: readonly ExpressionField[],
  root: string,
  variables: readonly string[],
): void {
  for (const field of fields) {
    const scope = field.variables ? [...variables, ...field.variables] : variables;
    const secrets = field.secrets === true;
    const authorization = field.authorization ? { authorization: true } : {};
    const visit = (value: unknown, path: string): void => {
      if (isExpression(value))
        found.push({
          path,
          source: expressionSource(value),
          variables: scope,
          secrets,
          ...authorization,
        });
      else if (Array.isArray(value)) for (const [at, item] of value.entries()) visit(item, pointer(path, at));
      else if (typeof value === 'object' && value !== null)
        for (const [key, item] of Object.entries(value)) visit(item, pointer(path, key));
    };
    const path = pointer(root, ...field.path);
    if (field.value === '') continue; // the schemas refuse it
    if (field.pattern && typeof field.value === 'string')
      found.push({ path, source: field.value, variables: [], secrets: false, pattern: true });
    else if (field.bare && typeof field.value === 'string')
      found.push({ path, source: expressionSource(field.value), variables: scope, secrets });
    else visit(field.value, path);
  }
}
