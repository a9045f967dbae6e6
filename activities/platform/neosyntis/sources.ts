import { createHash } from 'node:crypto';
import { ApplicationFailure, Context } from '@temporalio/activity';
import { type Endpoint, policyOf, uriOf } from '../../../domain/neosyntis/dsl/endpoint.ts';
import { expressionSource, isExpression } from '../../../domain/neosyntis/expressions.ts';
import { isObject } from '../../../domain/neosyntis/json.ts';
import { type Position, putAt, type Sealed } from '../../../domain/neosyntis/sealed.ts';
import { type ReadSource, SOURCE_LIMIT } from '../../../domain/neosyntis/sources.ts';
import { verbProblem } from '../../../domain/neosyntis/verb-arguments.ts';
import { scriptSource } from '../../../domain/neosyntis/verbs/script-source.ts';
import { unstorable } from '../../../domain/storable.ts';
import type { Json } from '../../../domain/wire.ts';
import { type Opened, type UnsealDeps, unseal } from '../../../drivers/secrets/unseal.ts';
import type { Authenticator } from './outbound/authentication.ts';
import { beating } from './outbound/beating.ts';
import { requestFailure } from './outbound/failures.ts';

export interface SourceDeps {
  /** Of owners instead of runs, as are the secrets. */
  authenticator: Authenticator;
  unsealing: UnsealDeps;
}

const TIMEOUT_MS = 10_000;
/** Another one than the first may find the server there again. */
const MOST_ATTEMPTS = 2;

/** What definitions name that is elsewhere, by the guarded client, as the owner of the workflow. */
export function createSourceActivities({ authenticator, unsealing }: SourceDeps) {
  async function fetched(ownerId: string, endpoint: Endpoint, signal: AbortSignal): Promise<ReadSource> {
    const sender = authenticator(policyOf(endpoint), ownerId);
    const url = uriOf(endpoint);
    try {
      const request = {
        method: 'GET',
        url,
        headers: {},
        followRedirects: true,
        timeoutMs: TIMEOUT_MS,
        signal,
      };
      const { status, body } = await sender.request(request);
      if (status !== 200) return { problem: `the server answered ${status}` };
      const read = textOf(body);
      return 'text' in read ? { ...read, text: String(sender.hide(read.text)) } : read;
    } catch (error) {
      const what = `GET ${new URL(url).origin}`;
      const failure = sender.hideIn(
        requestFailure(error, { what, isRepeatable: true, retried: ['connection'] }),
      );
      if (!(failure instanceof ApplicationFailure)) throw failure;
      if (!failure.nonRetryable && Context.current().info.attempt < MOST_ATTEMPTS) throw failure;
      return { problem: failure.message.replace(/\.$/, '') };
    }
  }

  return {
    fetchSource: (ownerId: string, endpoint: Endpoint): Promise<ReadSource> =>
      beating(async (signal) => {
        const opened = await unseal(ownerId, sealedOf(endpoint as Json), unsealing);
        if ('problem' in opened) return { problem: opened.problem.detail.replace(/\.$/, '') };
        const { values, masker, release } = opened;
        try {
          const args = { endpoint: filled(endpoint as Json, values) };
          const wrong = verbProblem(scriptSource, args);
          if (wrong) return { problem: masker.text(wrong) };
          const read = await fetched(ownerId, args.endpoint as Endpoint, signal); // it was just checked
          return 'text' in read
            ? { ...read, text: masker.text(read.text) }
            : { problem: masker.text(read.problem) };
        } finally {
          release();
        }
      }),
  };
}

export type SourceActivities = ReturnType<typeof createSourceActivities>;

const filled = (endpoint: Json, values: Opened['values']): Json =>
  values.reduce((whole, { at, value }) => putAt(whole, at, value), endpoint);

/** All expressions: there is no run whose data they could be about. */
function sealedOf(endpoint: Json): Sealed {
  const expressions: Sealed['expressions'] = [];
  const visit = (value: unknown, at: Position): void => {
    if (isExpression(value)) expressions.push({ at, source: expressionSource(value) });
    else if (Array.isArray(value)) for (const [index, item] of value.entries()) visit(item, [...at, index]);
    else if (isObject(value)) for (const [key, item] of Object.entries(value)) visit(item, [...at, key]);
  };
  visit(endpoint, []);
  return { expressions, input: null, variables: {} };
}

function textOf(body: Uint8Array): ReadSource {
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(body);
  } catch {
    return { problem: 'it is not UTF-8' };
  }
  if (text.length > SOURCE_LIMIT)
    return { problem: `it has ${text.length} characters; ${SOURCE_LIMIT} is the limit` };
  const wrong = unstorable(text);
  if (wrong) return { problem: `it ${wrong.what}` };
  return { text, digest: `sha256:${createHash('sha256').update(body).digest('hex')}` };
}
