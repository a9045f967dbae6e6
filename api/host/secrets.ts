import type { SecretValues } from '../../db/neosyntis/secret-values.ts';
import { AppError } from '../../domain/errors.ts';
import { HostSecrets, HostSecretsRequest } from '../../domain/neosyntis/secrets.ts';
import type { Logger } from '../../logs.ts';
import { ok, type Route, route } from '../http/route.ts';

export interface HostSecretDeps {
  values: SecretValues;
  log: Logger;
}

/** What a worker host needs for a step that it runs, and may have only then. */
export const createHostSecretRoutes = ({ values, log }: HostSecretDeps): Route[] => [
  route({
    method: 'POST',
    path: '/api/host/secrets',
    access: 'host',
    summary: 'Secrets for a step that runs on the host',
    description: 'Only those that a step names which is open there; not those of other steps of the run.',
    body: HostSecretsRequest,
    answers: { 200: { description: 'the values by name', schema: HostSecrets } },
    errors: ['not_found'],
    audit: false,
    async handler({ host, body }) {
      const granted = await values.grantedNames(body.run_id, host);
      if (!granted)
        throw new AppError(
          'not_found',
          `No step of run ${body.run_id} that uses secrets is open on ${host}.`,
        );
      const foreign = body.names.filter((name) => !granted.has(name));
      if (foreign.length > 0)
        throw new AppError(
          'not_found',
          `No step of run ${body.run_id} that is open on ${host} names ${foreign.join(', ')}.`,
        );
      log.info({ host, runId: body.run_id, names: body.names }, 'secrets for a step');
      return ok({ secrets: await values.resolve(body.run_id, body.names) });
    },
  }),
];
