import { mentioned } from '../../../domain/neosyntis/expressions.ts';
import { type Sealed, withoutSecrets } from '../../../domain/neosyntis/sealed.ts';
import { byteLength } from '../../../domain/neosyntis/shown.ts';
import type { Json } from '../../../domain/wire.ts';
import type { Evaluator, Variables } from './evaluator.ts';
import { failure } from './problem.ts';

/** Data that goes along with expressions on secrets; a Temporal payload holds 2 MB. */
const SEALED_LIMIT_BYTES = 1_000_000;

/**
 * Evaluates a template but for its expressions that use `$secrets`: those go on as they are, with the data they need,
 * so that no secret is ever in a workflow or its history.
 */
export async function sealingTemplate(
  evaluator: Evaluator,
  template: unknown,
  input: Json,
  variables: Variables,
): Promise<{ value: Json; sealed?: Sealed }> {
  const { rest, expressions } = withoutSecrets(template);
  const value = await evaluator.template(rest, input, variables);
  if (expressions.length === 0) return { value };
  const sources = expressions.map(({ source }) => source).join(' ');
  const { secrets: _never, authorization: _nor, ...needed } = mentioned(sources, variables);
  const sealed = { expressions, input, variables: needed };
  const bytes = byteLength(sealed as unknown as Json); // it is JSON
  if (bytes > SEALED_LIMIT_BYTES)
    throw failure(
      'expression',
      `Its expressions on $secrets need ${bytes} bytes of data; ${SEALED_LIMIT_BYTES} is the limit: shape it with input.from.`,
    );
  return { value, sealed };
}
