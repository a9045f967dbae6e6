import { mentioned, unbound } from '../../domain/neosyntis/expressions.ts';
import type { ProblemKind } from '../../domain/neosyntis/problems.ts';
import { VALUE_LIMIT_BYTES } from '../../domain/neosyntis/runs.ts';
import { namesOf, type Position, type Sealed } from '../../domain/neosyntis/sealed.ts';
import { secretUses } from '../../domain/neosyntis/secret-uses.ts';
import { byteLength } from '../../domain/neosyntis/shown.ts';
import { unstorable } from '../../domain/storable.ts';
import type { Json } from '../../domain/wire.ts';
import type { GuardedEvaluator } from '../expressions/guarded.ts';
import type { KnownSecrets } from './known.ts';
import { createMasker, type Masker } from './mask.ts';
import type { SecretSource } from './port.ts';

export interface UnsealDeps {
  secrets: SecretSource;
  guarded: GuardedEvaluator;
  known: KnownSecrets;
}

/** What the expressions gave, and what hides the secrets in all that comes of it; `release` when that is over. */
export interface Opened {
  values: { at: Position; value: Json }[];
  masker: Masker;
  release(): void;
}

/** A problem of the run; its text holds no secret. */
export interface NotOpened {
  problem: { kind: ProblemKind; detail: string };
}

/**
 * Looks up the secrets that sealed expressions use, and evaluates these.
 * @throws Error when the secrets cannot be looked up now.
 */
export async function unseal(
  runId: string,
  sealed: Sealed,
  { secrets, guarded, known }: UnsealDeps,
): Promise<Opened | NotOpened> {
  const names = namesOf(sealed);
  const found = await secrets.resolve(runId, names);
  const missing = names.filter((name) => !Object.hasOwn(found, name));
  if (missing.length > 0) return { problem: { kind: 'authorization', detail: unknown(missing) } };
  const masker = createMasker(Object.values(found));
  const release = known.use(masker);
  try {
    const values: Opened['values'] = [];
    for (const { at, source } of sealed.expressions) {
      const own = Object.fromEntries(secretUses(source).names.map((name) => [name, found[name] ?? null]));
      const variables = mentioned(source, { ...unbound, ...sealed.variables, secrets: own });
      const result = await guarded.evaluate({ source, input: sealed.input, variables });
      const wrong = 'problem' in result ? `failed: ${result.problem}` : problemOf(result.values);
      if (wrong !== undefined) {
        release();
        return { problem: { kind: 'expression', detail: masker.text(`\${ ${source} } ${wrong}`) } };
      }
      values.push({ at, value: 'values' in result ? (result.values[0] ?? null) : null });
    }
    return { values, masker, release };
  } catch (error) {
    release();
    throw error;
  }
}

function problemOf(values: Json[]): string | undefined {
  if (values.length > 1) return `gave ${values.length} values; wrap it in [ ] to get a list.`;
  const value = values[0] ?? null;
  const wrong = unstorable(value);
  if (wrong) return `gave a value that ${wrong.what}.`;
  return byteLength(value) > VALUE_LIMIT_BYTES
    ? `gave more than ${VALUE_LIMIT_BYTES} bytes of JSON, the limit.`
    : undefined;
}

const unknown = (names: string[]) =>
  `The owner of this run has no secret ${names.map((name) => `"${name}"`).join(', ')}: ` +
  'make it with POST /api/neosyntis/secrets.';
