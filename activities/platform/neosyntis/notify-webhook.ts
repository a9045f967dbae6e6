import { Webhook } from 'standardwebhooks';
import type { Static } from 'typebox';
import type { notifyWebhook } from '../../../domain/neosyntis/verbs/notify-webhook.ts';
import type { Json } from '../../../domain/wire.ts';
import type { OutboundClient, OutboundResponse } from '../../../drivers/outbound/port.ts';
import { derivedId } from './derived-id.ts';
import { beating } from './outbound/beating.ts';
import { requestFailure, verbFailure } from './outbound/failures.ts';
import { bodyOf } from './outbound/request-body.ts';
import type { VerbImplementation } from './verbs.ts';

const ATTEMPT_LIMIT_MS = 30_000;
const MIN_PAUSE_MS = 1_000;
/** Who wants to be asked later than this is asked by another run. */
const MAX_RETRY_AFTER_MS = 300_000;

/** `notify.webhook`: a message by Standard Webhooks, under an id that is the same at each attempt. */
export function createNotifyWebhook(client: OutboundClient): VerbImplementation {
  return ({ runId, path, iteration, attempt, args, timeoutMs }) =>
    beating(async (signal) => {
      const given = args as Static<typeof notifyWebhook.with>; // the caller checked it against this schema
      const id = `msg_${derivedId(runId, `${path} ${iteration.join('.')} ${attempt}`)}`;
      const method = given.method ?? 'POST';
      const { body = '', headers } = bodyOf(given.body as Json, given.headers ?? {}); // arguments are JSON
      const what = `${method} ${new URL(given.url).origin}`;
      let response: OutboundResponse;
      try {
        response = await client.request({
          method,
          url: given.url,
          body,
          headers: { ...headers, ...signed(id, body, given.secret) },
          followRedirects: false,
          timeoutMs: Math.min(timeoutMs, ATTEMPT_LIMIT_MS),
          signal,
        });
      } catch (error) {
        const retried = ['connection', 'unresolved', 'timeout', 'protocol'] as const;
        throw requestFailure(error, { what, isRepeatable: true, retried });
      }
      const { status } = response;
      if (status >= 200 && status < 300) return { status };
      const pauseMs = pauseOf(response.headers['retry-after']);
      const isTooLong = pauseMs !== undefined && pauseMs > MAX_RETRY_AFTER_MS;
      const asks = isTooLong
        ? ` and asks for more than ${MAX_RETRY_AFTER_MS / 1000} s before another attempt`
        : '';
      throw verbFailure(
        { kind: 'communication', status, detail: `${what} answered ${status}${asks}.` },
        mayPass(status) && !isTooLong ? (pauseMs === undefined ? {} : { pauseMs }) : undefined,
      );
    });
}

/** The headers of one attempt: receivers refuse what is older than some minutes. */
function signed(id: string, body: string, secret: string | undefined): Record<string, string> {
  const now = new Date();
  return {
    'webhook-id': id,
    'webhook-timestamp': String(Math.floor(now.getTime() / 1000)),
    ...(secret === undefined ? {} : { 'webhook-signature': new Webhook(secret).sign(id, now, body) }),
  };
}

/** Answers after which the same request may be taken. */
const mayPass = (status: number) => status >= 500 || [408, 425, 429].includes(status);

/** `Retry-After`: seconds, or a date (RFC 9110, 10.2.3). */
function pauseOf(retryAfter: string | undefined): number | undefined {
  if (retryAfter === undefined) return undefined;
  const ms = /^\d{1,9}$/.test(retryAfter) ? Number(retryAfter) * 1000 : Date.parse(retryAfter) - Date.now();
  return Number.isNaN(ms) ? undefined : Math.max(MIN_PAUSE_MS, ms);
}
