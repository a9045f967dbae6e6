import { AppError } from '../../../domain/errors.ts';
import { type HttpAddress, shownAddress } from '../../../domain/myntrix/device-address.ts';
import type { HttpSettings } from '../../../domain/myntrix/device-http.ts';
import type { Json } from '../../../domain/wire.ts';
import type { OutboundClient, OutboundResponse } from '../../outbound/port.ts';
import type { OpenDevice, OpenDeviceOptions } from '../connection.ts';
import { withoutBytes } from '../no-bytes.ts';
import type { ConnectionEnd } from '../port.ts';
import { createCalls } from '../protocols/calls.ts';
import { checkMessage } from '../protocols/command-text.ts';
import { identityIn, jsonIn } from '../protocols/said.ts';
import { secretText } from '../secret-text.ts';
import { readHttpAnswer, readHttpFailure } from './answer.ts';
import { startPolling } from './poll.ts';
import { createHttpCalls, type HttpCall } from './request.ts';

const ASK_MS = 5_000;
/** Longest of any request; the command's own time ends it before. */
const CALL_MS = 300_000;

/**
 * A device behind HTTP: there is no connection that stays, so it counts as connected while it answers.
 * @throws AppError unavailable when it does not
 */
export async function openHttp(
  address: HttpAddress,
  settings: HttpSettings,
  options: OpenDeviceOptions & { createOutbound(): OutboundClient; secrets: Readonly<Record<string, Json>> },
): Promise<OpenDevice> {
  const shown = shownAddress(address);
  const make = createHttpCalls(address, settings, {
    ...settings.headers,
    ...secretHeaders(settings, options.secrets),
  });
  const over = Promise.withResolvers<ConnectionEnd>();
  const ending = new AbortController();
  const finish = (how: ConnectionEnd): void => {
    ending.abort();
    over.resolve(how);
  };
  const outbound = options.createOutbound();
  // An emergency stop waits for no other request.
  const urgent = options.createOutbound();
  const askMs = settings.timeoutMs ?? ASK_MS;
  const send = async (
    call: HttpCall,
    timeoutMs: number,
    signal: AbortSignal,
    by = outbound,
  ): Promise<OutboundResponse> => {
    const answer = await by.request({ ...call, followRedirects: false, timeoutMs, signal });
    options.onHeard();
    return answer;
  };
  const ask = (path: string, limitMs = askMs, signal = ending.signal): Promise<OutboundResponse> =>
    send(make.of({ method: 'GET', path }), limitMs, signal);

  await ask(settings.alive?.path ?? '', options.timeoutMs, options.signal).catch((error: Error) => {
    throw new AppError('unavailable', `${shown} does not answer: ${error.message}`);
  });
  const { emergency, identity } = settings;
  const calls = createCalls({
    name: 'http',
    ended: over.promise,
    check(text) {
      checkMessage(text, 'http');
      make.ofCommand(text);
    },
    async perform(text, signal) {
      const call = make.ofCommand(text);
      try {
        return readHttpAnswer(call.method, await send(call, CALL_MS, signal));
      } catch (error) {
        return readHttpFailure(call.method, error);
      }
    },
    emergency:
      emergency &&
      (async () => {
        const { status } = await send(make.of(emergency), askMs, AbortSignal.timeout(askMs), urgent);
        if (status >= 300)
          throw new AppError('upstream_failed', `the device answered the emergency stop with ${status}`);
      }),
    async identify(limitMs) {
      if (!identity) return { details: {} };
      const answer = await ask(identity.path, limitMs).catch((error: Error) => {
        throw new AppError('timeout', `nobody says who they are at ${identity.path}: ${error.message}`);
      });
      const said = jsonIn(Buffer.from(answer.body).toString('utf8'));
      if (answer.status >= 300 || said === undefined)
        throw new AppError('timeout', `${identity.path} was answered by ${answer.status}, and not by JSON`);
      return identityIn(said, identity);
    },
  });
  startPolling({
    settings,
    ask,
    emit: calls.emit,
    isBusy: calls.isBusy,
    signal: ending.signal,
    onLost: (why) => finish({ kind: 'lost', reason: `${shown} does not answer any more: ${why}` }),
  });
  return {
    protocol: calls.protocol,
    transport: withoutBytes(address, over.promise, () => finish({ kind: 'closed' })),
  };
}

function secretHeaders(
  settings: HttpSettings,
  secrets: Readonly<Record<string, Json>>,
): Record<string, string> {
  const { username, passwordSecret } = settings;
  const headers: Record<string, string> = {};
  if (username !== undefined) {
    const password = passwordSecret === undefined ? '' : secretText(passwordSecret, secrets);
    headers.authorization = `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
  }
  for (const [name, { secret, prefix = '' }] of Object.entries(settings.secretHeaders ?? {}))
    headers[name] = `${prefix}${secretText(secret, secrets)}`;
  return headers;
}
