import type { Static } from 'typebox';
import { policyOf, uriOf } from '../../../domain/neosyntis/dsl/endpoint.ts';
import { SCRIPT_LIMIT } from '../../../domain/neosyntis/dsl/run.ts';
import type { scriptSource } from '../../../domain/neosyntis/verbs/script-source.ts';
import { urlProblem } from '../../../domain/outbound/request-rules.ts';
import { unstorable } from '../../../domain/storable.ts';
import type { Authenticator } from './outbound/authentication.ts';
import { beating } from './outbound/beating.ts';
import { requestFailure, verbFailure } from './outbound/failures.ts';
import type { VerbImplementation } from './verbs.ts';

/** The text of a script, by the guarded client. */
export function createScriptSource(authenticator: Authenticator): VerbImplementation {
  return ({ args, timeoutMs, runId }) =>
    beating(async (signal) => {
      const { endpoint } = args as Static<typeof scriptSource.with>; // the caller checked it against this schema
      const url = uriOf(endpoint);
      const problem = urlProblem(url);
      if (problem)
        throw verbFailure({ kind: 'validation', detail: `run.script.source: the endpoint ${problem}.` });
      const sender = authenticator(policyOf(endpoint), runId);
      const what = `GET ${new URL(url).origin}, the script`;
      try {
        const request = { method: 'GET', url, headers: {}, followRedirects: true, timeoutMs, signal };
        const { status, body } = await sender.request(request);
        const kind = status === 401 && sender.authenticates ? 'authentication' : 'communication';
        if (status !== 200) throw verbFailure({ kind, status, detail: `${what}: it answered ${status}.` });
        return sender.hide(asText(body, what));
      } catch (error) {
        throw sender.hideIn(requestFailure(error, { what, isRepeatable: true, retried: ['connection'] }));
      }
    });
}

function asText(body: Uint8Array, what: string): string {
  const refuse = (why: string) => verbFailure({ kind: 'configuration', detail: `${what}: it ${why}.` });
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(body);
  } catch {
    throw refuse('is not UTF-8');
  }
  if (text.length > SCRIPT_LIMIT) throw refuse(`has ${text.length} characters; ${SCRIPT_LIMIT} is the limit`);
  const wrong = unstorable(text);
  if (wrong) throw refuse(wrong.what);
  return text;
}
