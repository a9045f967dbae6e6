import type { Json } from '../../../../domain/wire.ts';
import type { OutboundResponse } from '../../../../drivers/outbound/port.ts';

/** The answer's media type says JSON, and it is none. */
export class NotJson extends Error {
  override readonly name = 'NotJson';
}

/**
 * An answer's content as a value: parsed where its media type is JSON, text where it is text, else Base64; null when
 * there is none.
 * @throws NotJson
 */
export function contentOf({ body, headers }: OutboundResponse): Json {
  if (body.length === 0) return null;
  const [type = '', ...parameters] = (headers['content-type'] ?? '').split(';').map((part) => part.trim());
  const media = type.toLowerCase();
  if (/^application\/json$|^text\/json$|\+json$/.test(media)) return parsed(text(body, undefined) ?? '');
  const isText =
    /^text\/|^application\/(xml|javascript|x-www-form-urlencoded|yaml|x-yaml|x-ndjson)$|\+(xml|yaml)$/;
  if (media === '') return text(body, undefined) ?? base64(body);
  return isText.test(media) ? (text(body, charset(parameters)) ?? base64(body)) : base64(body);
}

export const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64');

function parsed(json: string): Json {
  try {
    return JSON.parse(json);
  } catch {
    throw new NotJson('the content is not JSON'); // the parser's words would quote it
  }
}

const charset = (parameters: string[]): string | undefined =>
  parameters.map((part) => /^charset="?([^"]+)"?$/i.exec(part)?.[1]).find(Boolean);

/** Undefined when the bytes are not of this encoding. */
function text(body: Uint8Array, encoding = 'utf-8'): string | undefined {
  try {
    return new TextDecoder(encoding, { fatal: true }).decode(body);
  } catch {
    return undefined; // unknown encoding, or bytes that it does not have
  }
}
