import { ApplicationFailure } from '@temporalio/activity';
import type { SecretValues, StepPlace } from '../../../db/neosyntis/secret-values.ts';
import { putAt } from '../../../domain/neosyntis/sealed.ts';
import type { Json } from '../../../domain/wire.ts';
import { type UnsealDeps, unseal } from '../../../drivers/secrets/unseal.ts';
import { maskedFailure } from '../../masked-failure.ts';
import type { VerbCall } from './verbs.ts';

export type Opener = ReturnType<typeof createOpener>;

/** Puts secrets into a verb's arguments, and takes them out of all that comes back. */
export function createOpener(deps: UnsealDeps) {
  /** @throws ApplicationFailure `authorization` for a secret that does not exist, `expression` for one that fails. */
  return async function opened(call: VerbCall, work: (args: Json) => Promise<Json>): Promise<Json> {
    if (!call.sealed) return work(call.args);
    const result = await unseal(call.runId, call.sealed, deps);
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
  };
}

/** What a run asks of the platform for a step on a host that uses secrets. */
export const createSecretActivities = ({ values }: { values: Pick<SecretValues, 'grant'> }) => ({
  grantSecrets: (place: StepPlace): Promise<void> => values.grant(place),
});

export type SecretActivities = ReturnType<typeof createSecretActivities>;
