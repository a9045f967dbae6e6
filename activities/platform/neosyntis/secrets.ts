import { ApplicationFailure } from '@temporalio/activity';
import { Value } from 'typebox/value';
import type { SecretValues, StepPlace } from '../../../db/neosyntis/secret-values.ts';
import { Authentication } from '../../../domain/neosyntis/dsl/authentication.ts';
import { isObject } from '../../../domain/neosyntis/json.ts';
import { putAt, type Sealed } from '../../../domain/neosyntis/sealed.ts';
import { usesAuthorization } from '../../../domain/neosyntis/secret-uses.ts';
import { activityVerbs } from '../../../domain/neosyntis/verbs.ts';
import type { Json } from '../../../domain/wire.ts';
import { createMasker } from '../../../drivers/secrets/mask.ts';
import { type UnsealDeps, unseal } from '../../../drivers/secrets/unseal.ts';
import { maskedFailure } from '../../masked-failure.ts';
import type { Authenticator } from './outbound/authentication.ts';
import { beating } from './outbound/beating.ts';
import type { VerbCall } from './verbs.ts';

export type Opener = ReturnType<typeof createOpener>;

/** Puts secrets into a verb's arguments, and takes them out of all that comes back. */
export function createOpener(deps: UnsealDeps, authenticator: Authenticator) {
  /** @throws ApplicationFailure `authorization` for a secret that does not exist, `expression` for one that fails. */
  return async function opened(call: VerbCall, work: (args: Json) => Promise<Json>): Promise<Json> {
    if (!call.sealed) return work(call.args);
    const { expressions } = call.sealed;
    const later = expressions.filter(({ source }) => usesAuthorization(source));
    if (later.length === 0) return filled(call, call.sealed, work);
    // What the request is authorized by may itself be made of secrets: these come first.
    const first = { ...call.sealed, expressions: expressions.filter((one) => !later.includes(one)) };
    return filled(call, first, async (args) => {
      const authorization = await authorizationOf(call, args);
      const variables = { ...call.sealed?.variables, authorization: authorization as Json | null };
      const masker = createMasker(authorization ? [authorization.parameter] : []);
      const release = deps.known.use(masker);
      try {
        const sealed = { expressions: later, input: call.sealed?.input ?? null, variables };
        return masker.json(await filled({ ...call, args }, sealed, work));
      } catch (error) {
        throw maskedFailure(error, masker);
      } finally {
        release();
      }
    });
  };

  async function authorizationOf({ verb, runId, timeoutMs }: VerbCall, args: Json) {
    const policy = (activityVerbs.get(verb)?.policyIn ?? []).reduce<unknown>(
      (outer, key) => (isObject(outer) ? outer[key] : undefined),
      args,
    );
    const problem = policy === undefined ? undefined : Value.Errors(Authentication, policy)[0];
    if (problem)
      throw ApplicationFailure.nonRetryable(
        `${verb}: authentication${problem.instancePath} ${problem.message}`,
        'invalid',
      );
    const sender = authenticator(policy as Authentication | undefined, runId); // it was just checked
    return beating((signal) => sender.authorization({ timeoutMs, signal }));
  }

  async function filled(call: VerbCall, sealed: Sealed, work: (args: Json) => Promise<Json>): Promise<Json> {
    const result = await unseal(call.runId, sealed, deps);
    if ('problem' in result)
      throw ApplicationFailure.nonRetryable(result.problem.detail, result.problem.kind);
    const { values, masker, release } = result;
    try {
      const args = values.reduce((filled, { at, value }) => putAt(filled, at, value), call.args);
      return masker.json(await work(args));
    } catch (error) {
      throw maskedFailure(error, masker);
    } finally {
      release();
    }
  }
}

/** What a run asks of the platform for a step on a host that uses secrets. */
export const createSecretActivities = ({ values }: { values: Pick<SecretValues, 'grant'> }) => ({
  grantSecrets: (place: StepPlace): Promise<void> => values.grant(place),
});

export type SecretActivities = ReturnType<typeof createSecretActivities>;
