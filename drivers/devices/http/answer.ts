import { OutboundError, type OutboundResponse } from '../../outbound/port.ts';
import type { Called } from '../protocols/calls.ts';
import { objectIn, saysNo } from '../protocols/said.ts';

/** Of an answer, for people and the record. */
const SHOWN = 16_384;

/**
 * What an answer says of a command: 2xx is yes, 4xx is no, and so is `ok: false` or `error` in a JSON answer. After a
 * 5xx to a request that changes something, it may be done or not.
 */
export function readHttpAnswer(method: string, { status, body }: OutboundResponse): Called {
  const text = Buffer.from(body).toString('utf8');
  const lines = text === '' ? [] : [text.slice(0, SHOWN)];
  const said = objectIn(text);
  if (status >= 200 && status < 300)
    return said && saysNo(said)
      ? { state: 'failed', reason: `the device said no: ${text.slice(0, 300)}`, lines }
      : { state: 'acknowledged', lines };
  const reason = `the device answered ${status}${text === '' ? '' : `: ${text.slice(0, 300)}`}`;
  if (status >= 300 && status < 400)
    return { state: 'failed', reason: `${reason} (redirects are not followed)`, lines };
  const mayBeDone = status >= 500 && status !== 501 && status !== 503 && method !== 'GET';
  return { state: mayBeDone ? 'unknown' : 'failed', reason, lines };
}

/** What a request that has no answer says of a command. What only reads changes nothing: no answer is no. */
export function readHttpFailure(method: string, error: unknown): Called {
  const reason = error instanceof Error ? error.message : String(error);
  const wasSent = !(error instanceof OutboundError) || error.sent;
  return { state: wasSent && method !== 'GET' ? 'unknown' : 'failed', reason, lines: [] };
}
