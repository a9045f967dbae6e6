import { describe, expect, test } from '@jest/globals';
import { ApplicationFailure } from '@temporalio/common';
import { maskedFailure } from '../../activities/masked-failure.ts';
import { createKnownSecrets } from '../../drivers/secrets/known.ts';
import { createMasker } from '../../drivers/secrets/mask.ts';

const value = 'p@ss/w+rd "ünïq" 42';
const masker = createMasker([value]);

const spelled: [string, string][] = [
  ['as it is', value],
  ['in base64', Buffer.from(value).toString('base64')],
  ['in base64 for URLs', Buffer.from(value).toString('base64url')],
  ['in base64 after a user name', Buffer.from(`ada:${value}`).toString('base64')],
  ['in base64 between other things', Buffer.from(`{"a":"${value}"}`).toString('base64')],
  ['in base64 that is broken into lines', broken(Buffer.from(`ada and bob: ${value}`).toString('base64'))],
  ['in a URL', encodeURIComponent(value)],
  ['in a URL with small letters', encodeURIComponent(value).toLowerCase().replace('%20', '%20')],
  ['in a form', new URLSearchParams({ a: value }).toString()],
  ['as JSON', JSON.stringify({ a: value })],
  ['as JSON in JSON', JSON.stringify(JSON.stringify({ a: value }))],
];

function broken(base64: string): string {
  return base64.replaceAll(/.{11}/g, (line) => `${line}\r\n`);
}

describe('A secret is masked', () => {
  test.each(spelled)('%s', (_how, text) => {
    const masked = masker.text(`before ${text} after`);
    expect(masked).toContain('***');
    expect(masked).toMatch(/^before .* after$/s);
    for (const form of [value, encodeURIComponent(value), Buffer.from(value).toString('base64').slice(2, -4)])
      expect(masked.replaceAll(/[\r\n]/g, '')).not.toContain(form);
  });

  test.each(spelled)('%s, wherever a stream is cut', (_how, text) => {
    const whole = `one ${text} two ${text}`;
    for (let cut = 0; cut <= whole.length; cut++) {
      const stream = masker.stream();
      const masked = stream.push(whole.slice(0, cut)) + stream.push(whole.slice(cut)) + stream.end();
      expect(masked).toBe(masker.text(whole));
    }
  });

  test('when it comes character by character', () => {
    const stream = masker.stream();
    const masked = [...`a ${value} b`].map((character) => stream.push(character)).join('') + stream.end();
    expect(masked).toBe('a *** b');
  });

  test('line by line when it has several', () => {
    const key = createMasker(['-----BEGIN KEY-----\nMIIEvQIBADANBg\n  kqhkiG9w0BAQ\n-----END KEY-----\n']);
    expect(key.text('> MIIEvQIBADANBg\n> kqhkiG9w0BAQ\n')).toBe('> ***\n> ***\n');
  });

  test('in every string, key and number of a value, and in every part of an object', () => {
    const object = createMasker([{ user: 'ada-lovelace', pin: 271828 }]);
    expect(object.json({ a: ['by ada-lovelace', 271828, 7], 'ada-lovelace': null })).toEqual({
      a: ['by ***', '***', 7],
      '***': null,
    });
  });

  test('together with others that it overlaps, and none of them shows', () => {
    const two = createMasker(['abcd1234', '1234wxyz', 'abcd']);
    expect(two.text('<abcd1234wxyz>')).toBe('<***>');
    expect(two.text('<abcdabcd1234>')).toBe('<******>');
    const begun = createMasker(['abcd-abcd-zzzz', 'abcd']);
    expect(begun.text('<abcd-abcd')).toBe('<***-***');
    const stream = two.stream();
    expect(stream.push('<abcd12') + stream.push('34') + stream.push('wxyz>') + stream.end()).toBe('<***>');
  });
});

test('A log leaves out the secrets that its process has in its hands', () => {
  const known = createKnownSecrets();
  const line = (text: string) => JSON.stringify({ level: 40, msg: `failed with ${text}` });
  const release = known.use(createMasker(['two\nlines of "it"']));
  known.use(createMasker(['another one']));
  expect(known.mask(line('two\nlines of "it" and another one'))).toBe(line('*** and ***'));
  release();
  // Lines about a step come after its end too.
  expect(known.mask(line('lines of "it"'))).toBe(line('***'));
});

describe('What is no secret', () => {
  test('passes at once, but for what a secret might begin with', () => {
    const stream = createMasker(['secret-1']).stream();
    expect(stream.push('an ordinary line\nsecre')).toBe('an ordinary line\n');
    expect(stream.push('tary\n')).toBe('secretary\n');
    expect(stream.end()).toBe('');
  });

  test('is what has fewer than four characters', () => {
    expect(createMasker(['abc', 'x', true, null]).text('abc x true null')).toBe('abc x true null');
  });

  test('is read in linear time, however many lines a secret has', () => {
    const lines = Array.from({ length: 4_000 }, (_, index) => `same-beginning-${index}`);
    const many = createMasker([lines.join('\n')]);
    const text = 'same-beginning same-beginning '.repeat(20_000);
    const before = process.cpuUsage(); // of this process alone, whatever else the machine does
    expect(many.text(text)).toBe(text);
    expect(process.cpuUsage(before).user).toBeLessThan(5_000_000);
  });
});

test('A failure without its secrets still says when to try again', () => {
  const failure = ApplicationFailure.create({ message: `no ${value}`, nextRetryDelay: 3_000, details: [value] });
  expect(maskedFailure(failure, masker)).toMatchObject({
    message: 'no ***',
    details: ['***'],
    nextRetryDelay: 3_000,
    nonRetryable: false,
  });
});
