import { describe, expect, test } from '@jest/globals';
import { redirected } from '../../drivers/outbound/redirects.ts';

const hop = {
  method: 'POST',
  url: new URL('https://one.example/login'),
  headers: { authorization: 'Bearer x', 'content-type': 'application/json' },
  body: '{"password":"x"}',
};
const clear = new URL('http://one.example/login');

describe('A request that went out encrypted', () => {
  test.each([307, 308])('is not repeated with its body in clear by %i', (status) => {
    expect(() => redirected(hop, status, clear)).toThrow(
      expect.objectContaining({ kind: 'forbidden', sent: true }),
    );
    expect(redirected(hop, status, new URL('https://two.example/')).body).toBe(hop.body);
  });

  test('goes on in clear without body and credentials where the answer asks for a GET', () => {
    expect(redirected(hop, 303, clear)).toEqual({ method: 'GET', url: clear, headers: {}, body: undefined });
    const get = { ...hop, method: 'GET', body: undefined };
    expect(redirected(get, 307, clear)).toMatchObject({
      method: 'GET',
      headers: {
        'content-type': 'application/json',
      },
    });
  });
});
