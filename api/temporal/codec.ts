import type { Payload } from '@temporalio/common';
import { AppError } from '../../domain/errors.ts';
import {
  DECODE_BODY_LIMIT_BYTES,
  DECODE_STORED_LIMIT_BYTES,
  type EncodedPayload,
  EncodedPayloads,
} from '../../domain/system/payloads.ts';
import type { PayloadDecoder } from '../../drivers/payloads/decoder.ts';
import { noContent, ok, type Route, route } from '../http/route.ts';
import { CODEC_PATH } from './codec-origin.ts';

const COOKIE = 'vareon_codec';
const COOKIE_SECONDS = 12 * 3600;

export interface CodecRouteDeps {
  decode: PayloadDecoder;
  namespace: string;
  /** Whether browsers reach the API by HTTPS: its own, or that of a proxy. */
  isSecure: boolean;
}

/** Temporal's remote codec protocol, decoding only, for its Web UI and command line. */
export const createCodecRoutes = ({ decode, namespace, isSecure }: CodecRouteDeps): Route[] => [
  route({
    method: 'POST',
    path: `${CODEC_PATH}/decode`,
    access: 'system:payloads:decode',
    summary: 'Decode payloads of Temporal',
    description:
      'For Temporal’s Web UI and `temporal --codec-endpoint`: opens what is encrypted and fetches what is in ' +
      'storage, up to 16 MiB a request; what is more stays a reference. Web pages of other origins than the ' +
      'UI’s are refused.',
    body: EncodedPayloads,
    bodyLimitBytes: DECODE_BODY_LIMIT_BYTES,
    tokenCookie: COOKIE,
    headers: { 'X-Namespace': 'Temporal’s namespace; another than ours is refused' },
    answers: { 200: { description: 'in the same order', schema: EncodedPayloads } },
    async handler({ body, request }) {
      const asked = request.header('X-Namespace');
      if (asked && asked !== namespace)
        throw new AppError(
          'invalid',
          `The namespace is "${asked.slice(0, 100)}"; here it is "${namespace}".`,
        );
      const payloads = await decode(
        body.payloads.map(decoded),
        DECODE_STORED_LIMIT_BYTES,
        request.signal,
      ).catch((error: unknown) => {
        const reason = error instanceof Error ? error.message : String(error);
        throw new AppError('invalid', `A payload cannot be opened: ${reason}`, {}, { cause: error });
      });
      return ok({ payloads: payloads.map(encoded) });
    },
  }),
  route({
    method: 'POST',
    path: `${CODEC_PATH}/session`,
    access: 'system:payloads:decode',
    summary: 'Let this browser’s Temporal UI decode',
    description:
      'Keeps the token of this request in a cookie that only the decode route reads, for 12 hours or until the ' +
      'token ends. The UI sends it when “Include cross-origin credentials” is set.',
    answers: { 204: { description: 'the cookie is set' } },
    async handler({ request }) {
      const token = request
        .header('Authorization')
        .replace(/^bearer +/i, '')
        .trim();
      const cookie = [
        `${COOKIE}=${token}`,
        `Path=${CODEC_PATH}/decode`,
        `Max-Age=${COOKIE_SECONDS}`,
        'HttpOnly',
        'SameSite=Strict',
        ...(isSecure ? ['Secure'] : []),
      ].join('; ');
      return { ...noContent(), headers: { 'Set-Cookie': cookie } };
    },
  }),
];

const decoded = ({ metadata = {}, data = '' }: EncodedPayload): Payload => ({
  metadata: Object.fromEntries(
    Object.entries(metadata).map(([name, value]) => [name, Buffer.from(value, 'base64')]),
  ),
  data: Buffer.from(data, 'base64'),
});

const encoded = ({ metadata, data }: Payload): EncodedPayload => ({
  metadata: Object.fromEntries(
    Object.entries(metadata ?? {}).map(([name, value]) => [name, Buffer.from(value).toString('base64')]),
  ),
  data: Buffer.from(data ?? []).toString('base64'),
});
