import { Type } from 'typebox';
import { builtInVariables } from '../expressions.ts';

/** The name of a variable that a task gives to the expressions inside it. */
export const variable = (description: string) => Type.String({ minLength: 1, maxLength: 100, description });

/** What is wrong with such a name, if anything. */
export function variableProblem(name: string): string | undefined {
  if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name))
    return `"${name}" is not a variable name: letters, digits and _, not starting with a digit`;
  if (builtInVariables.includes(name) || name.startsWith('__') || name === 'ENV')
    return `"${name}" is the name of a built-in variable: choose another`;
  return undefined;
}
