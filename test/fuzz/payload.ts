import { gzipSync } from 'node:zlib';
import fc from 'fast-check';

/** How a JSON value is put on the wire. */
export type Form = (typeof forms)[number];

const forms = [
  ...[
    'plain',
    'truncated',
    'duplicate key',
    'NaN',
    'huge number',
    '__proto__',
    'deep',
    'invalid UTF-8',
    'UTF-16',
  ],
  ...['BOM', 'no JSON', 'form', 'gzip', 'oversized', 'empty', 'comment', 'escaped half pair'],
] as const;

export const form: fc.Arbitrary<Form> = fc.oneof(
  { weight: 30, arbitrary: fc.constant<Form>('plain') },
  { weight: 16, arbitrary: fc.constantFrom(...forms) },
  { weight: 0, arbitrary: fc.constant<Form>('oversized') },
);

export const contentTypes = [
  ...[
    'application/json',
    'application/json; charset=utf-8',
    'application/json;charset=utf-16',
    'APPLICATION/JSON',
  ],
  ...[
    'application/merge-patch+json',
    'application/x-www-form-urlencoded',
    'text/plain',
    'multipart/form-data; boundary=x',
  ],
  ...[
    'application/yaml',
    'application/octet-stream',
    '',
    ';',
    'application/json, text/plain',
    '*/*',
    'application/json\t;a',
  ],
];

/** The bytes; JSON that cannot be written is the text of it. */
export function encode(value: unknown, how: Form): Buffer {
  const text = JSON.stringify(value) ?? 'undefined';
  switch (how) {
    case 'truncated':
      return Buffer.from(text.slice(0, Math.ceil(text.length / 2)));
    case 'duplicate key':
      return Buffer.from(text.replace(/^\{("(?:[^"\\]|\\.)*":)/, '{$1null,$1'));
    case 'NaN':
      return Buffer.from(text.replace(/:("(?:[^"\\]|\\.)*"|[\d.e+-]+)/, ':NaN'));
    case 'huge number':
      return Buffer.from(text.replace(/:("(?:[^"\\]|\\.)*"|[\d.e+-]+)/, `:${'9'.repeat(5_000)}e999999`));
    case '__proto__':
      return Buffer.from(text.replace(/^\{/, '{"__proto__":{"isAdmin":true},'));
    case 'deep':
      return Buffer.from(
        text.replace(/:("(?:[^"\\]|\\.)*"|[\d.e+-]+)/, `:${'['.repeat(50_000)}${']'.repeat(50_000)}`),
      );
    case 'invalid UTF-8':
      return Buffer.concat([
        Buffer.from(text.slice(0, -2)),
        Buffer.from([0xc3, 0x28, 0xff, 0xc0, 0x80]),
        Buffer.from(text.slice(-2)),
      ]);
    case 'UTF-16':
      return Buffer.from(`\ufeff${text}`, 'utf16le');
    case 'BOM':
      return Buffer.from(`\ufeff${text}`);
    case 'no JSON':
      return Buffer.from(
        `<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><a>&b;</a>`,
      );
    case 'form':
      return Buffer.from(new URLSearchParams(fieldsOf(value)).toString());
    case 'gzip':
      return gzipSync(text);
    case 'oversized':
      return Buffer.from(text.padEnd(1_200_000));
    case 'empty':
      return Buffer.alloc(0);
    case 'comment':
      return Buffer.from(`${text} // and more`);
    case 'escaped half pair':
      return Buffer.from(text.replace(/:"/, ':"\\ud800'));
    default:
      return Buffer.from(text);
  }
}

/** A form's fields are text. */
const fieldsOf = (value: unknown): [string, string][] =>
  Object.entries(Object(value)).map(([name, item]) => [
    name,
    typeof item === 'string' ? item : (JSON.stringify(item) ?? ''),
  ]);
