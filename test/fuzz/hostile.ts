import fc from 'fast-check';

/** Text that parsers, stores and file systems trip over. */
export const hostileTexts = [
  ...['', ' ', '\0', 'a\0b', '\ud800', 'a\udfffb', '\ufeff', '\u202e', '\u2028', '\r\n', '\x7f', '\x1b[2J'],
  ...['__proto__', 'constructor', 'prototype', 'toString', 'hasOwnProperty', 'then', '$ref', '$where', '$id'],
  ...[
    '..',
    '../../etc/passwd',
    '..%2f..%2fetc%2fpasswd',
    '/',
    '//',
    '\\',
    '.',
    '~',
    '-',
    '--',
    '*',
    '#',
    '?',
  ],
  ...["' or 1=1 --", '"; drop table users; --', '%', '_', '%s%n', '{{7*7}}', '${7*7}', '<script>', '&amp;'],
  ...['NaN', 'Infinity', '-Infinity', '-0', '1e400', '0x10', '1_000', '١٢٣', '9007199254740993', 'null'],
  ...[
    'true',
    'undefined',
    '[object Object]',
    'e\u0301',
    'İ',
    'ß',
    'ﬀ',
    '😀',
    '🏴‍☠️',
    'a'.repeat(201),
    'ä'.repeat(513),
  ],
  ...[
    'a'.repeat(10_001),
    `${'a'.repeat(65)}@${'b'.repeat(64)}.org`,
    'a@b',
    'a@[127.0.0.1]',
    '"a b"@example.org',
  ],
  ...['2026-02-30T00:00:00Z', '0000-00-00T00:00:00Z', '+275760-09-13T00:00:00.001Z', '9999-12-31T23:59:60Z'],
  ...['00000000-0000-0000-0000-000000000000', 'ffffffff-ffff-ffff-ffff-ffffffffffff'],
];

/** Numbers at and over the edges of the types that may hold them. */
export const hostileNumbers = [
  ...[
    0,
    -0,
    -1,
    0.5,
    1e-320,
    5e-324,
    127,
    128,
    255,
    256,
    32_767,
    32_768,
    65_536,
    2 ** 31 - 1,
    2 ** 31,
    -(2 ** 31),
  ],
  ...[2 ** 32, 2 ** 53 - 1, 2 ** 53, 2 ** 63, -(2 ** 63) - 1, 1e21, 1.7976931348623157e308, 3.14],
];

/** A list in a list and so on. */
function nested(depth: number, wrap: (inner: unknown) => unknown): unknown {
  let value: unknown = 1;
  for (let level = 0; level < depth; level++) value = wrap(value);
  return value;
}

const hostileObjects: unknown[] = [
  ...[null, true, false, [], {}, [null], [[]], { '': null }, { a: undefined }, { length: 1e9 }],
  // Made by JSON, so that the names are own properties.
  ...[
    '{"__proto__":{"isAdmin":true}}',
    '{"constructor":{"prototype":{"isAdmin":true}}}',
    '{"toJSON":1,"then":2}',
  ].map((text) => JSON.parse(text)),
  nested(20, (inner) => [inner]),
  nested(99, (inner) => ({ a: inner })),
  nested(300, (inner) => [inner]),
  Array.from({ length: 2_000 }, (_, index) => index),
  Object.fromEntries(Array.from({ length: 1_000 }, (_, index) => [`k${index}`, index])),
];

export const hostileText = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom(...hostileTexts) },
  { weight: 1, arbitrary: fc.string({ unit: 'binary', maxLength: 300 }) },
  { weight: 1, arbitrary: fc.string({ unit: 'grapheme', maxLength: 40 }) },
);

/** Any JSON value, rather a nasty one. */
export const hostileValue: fc.Arbitrary<unknown> = fc.oneof(
  { weight: 4, arbitrary: hostileText },
  {
    weight: 3,
    arbitrary: fc.oneof(
      fc.constantFrom(...hostileNumbers),
      fc.double({ noNaN: true, noDefaultInfinity: true }),
    ),
  },
  { weight: 3, arbitrary: fc.constantFrom(...hostileObjects) },
  { weight: 1, arbitrary: fc.jsonValue({ maxDepth: 3 }) },
);
