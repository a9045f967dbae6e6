import type { WireRequest } from './send.ts';

const quoted = (text: string) => `'${text.replaceAll("'", `'\\''`)}'`;
const LONGEST = 20_000;

/** A command line that sends the request again; a body that is no text goes through base64. */
export function reproduction(apiUrl: string, { method, target, headers, body }: WireRequest): string {
  const parts = ['curl', '-i', '--path-as-is', '-X', method, quoted(`${apiUrl}${target}`)];
  for (const [name, value] of Object.entries(headers)) parts.push('-H', quoted(`${name}: ${value}`));
  if (!body) return parts.join(' ');
  const text = body.toString();
  if (text.length > LONGEST)
    return `${parts.join(' ')} --data-binary <${body.length} bytes beginning with ${quoted(text.slice(0, 500))}>`;
  const isText = Buffer.from(text).equals(body) && !text.includes('\0') && !text.startsWith('@');
  return isText
    ? `${parts.join(' ')} --data-binary ${quoted(text)}`
    : `echo ${body.toString('base64')} | base64 -d | ${parts.join(' ')} --data-binary @-`;
}
