import { createServer, type Server } from 'node:http';
import { type AddressInfo, Socket } from 'node:net';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { createAddressPolicy } from '../../drivers/outbound/addresses.ts';
import { createOutboundClient } from '../../drivers/outbound/client.ts';
import { type Resolve, systemResolve } from '../../drivers/outbound/connect.ts';
import { OutboundError } from '../../drivers/outbound/port.ts';
import { forbidden4, forbidden6, spellings, tricks } from './spellings.ts';

/** Redirects to whatever its query says, with the status of its path. */
let redirector: Server;
let origin: string;

beforeAll(async () => {
  redirector = createServer((request, response) => {
    const url = new URL(request.url ?? '/', 'http://localhost');
    const to = url.searchParams.get('to');
    if (to === null) return response.end('arrived');
    response.writeHead(Number(url.pathname.slice(1)), { location: Buffer.from(to).toString('latin1') }).end();
  });
  await new Promise<void>((resolve) => redirector.listen(0, '127.0.0.1', resolve));
  origin = `http://127.0.0.1:${(redirector.address() as AddressInfo).port}`; // it listens on TCP
});
afterAll(() => void redirector.close());

/** Every socket of this process that is told to connect, TLS included. */
let connects: ReturnType<typeof jest.spyOn>;
beforeEach(() => {
  connects = jest.spyOn(Socket.prototype, 'connect');
});
afterEach(() => connects.mockRestore());

async function refusal(url: string, resolve: Resolve = systemResolve, allow: string[] = []) {
  const client = createOutboundClient({ allow, userAgent: 'test', resolve });
  try {
    const { status } = await client.request({
      method: 'GET',
      url,
      headers: {},
      followRedirects: true,
      timeoutMs: 60_000,
    });
    return `answered ${status}`;
  } catch (error) {
    if (!(error instanceof OutboundError)) throw error;
    return error.kind;
  }
}

const named = Object.entries(spellings).flatMap(([name, spell]) =>
  forbidden4.map((address): [string, string] => [name, spell(address)]),
);

describe('No socket is made to', () => {
  test.each(named)('%s %s', async (_name, host) => {
    expect(await refusal(`http://${host}/`)).toMatch(/^(forbidden|invalid)$/);
    expect(await refusal(`https://${host}:8443/latest/meta-data`)).toMatch(/^(forbidden|invalid)$/);
    expect(connects).not.toHaveBeenCalled();
  });

  test.each(forbidden6)('[%s]', async (address) => {
    expect(await refusal(`http://[${address}]/`)).toBe('forbidden');
    expect(await refusal(`http://[${address.toUpperCase()}]:8080/`)).toBe('forbidden');
    expect(connects).not.toHaveBeenCalled();
  });

  test.each(tricks)('%j', async (url) => {
    expect(await refusal(url, async () => ['127.0.0.1'])).toMatch(/^(forbidden|invalid)$/);
    expect(connects).not.toHaveBeenCalled();
  });

  test.each(['localhost', 'LOCALHOST', 'LocalHost', 'ｌｏｃａｌｈｏｓｔ', 'local%68ost'])(
    'the real name %s',
    async (name) => {
      expect(await refusal(`http://${name}:${new URL(origin).port}/`)).toBe('forbidden');
      expect(connects).not.toHaveBeenCalled();
    },
  );

  test.each([
    ...forbidden4,
    ...forbidden6,
    '::ffff:127.0.0.1',
    '::ffff:7f00:1',
    '64:ff9b::7f00:1',
    'fe80::1%eth0',
    'nonsense',
  ])('a name whose address is %s', async (address) => {
    expect(await refusal('http://innocent.example/', async () => [address])).toBe('forbidden');
    expect(connects).not.toHaveBeenCalled();
  });

  test('a name of which only one address is forbidden', async () => {
    const resolve = async () => ['93.184.215.14', '2606:4700::1111', '10.0.0.8'];
    expect(await refusal('http://mixed.example/', resolve)).toBe('forbidden');
    expect(connects).not.toHaveBeenCalled();
  });

  test('a name without an address', async () => {
    expect(await refusal('http://nothing.example/', async () => [])).toBe('unresolved');
    expect(connects).not.toHaveBeenCalled();
  });
});

describe('No redirect leads to', () => {
  const hosts = [
    '127.0.0.2',
    '169.254.169.254',
    '[::1]',
    '[::ffff:10.0.0.1]',
    '0x7f000002',
    '2130706434',
    '10.1',
  ];
  const rows = [301, 302, 303, 307, 308].flatMap((status) =>
    hosts.map((host): [number, string] => [status, `http://${host}/`]),
  );
  const others = tricks
    .filter((url) => /^(http:\/\/|(?!http:)[a-z+-]+:)/.test(url) && !/\s/.test(url))
    .map((url): [number, string] => [302, url.replaceAll('127.0.0.1', '127.0.0.2')]);
  test.each([...rows, ...others])('(%d) %s', async (status, url) => {
    const from = `${origin}/${status}?to=${encodeURIComponent(url)}`;
    const ends = await refusal(from, async () => ['10.0.0.1'], ['127.0.0.1/32']);
    expect(ends).toBe('forbidden');
    expect(connects).toHaveBeenCalledTimes(1);
  });

  test('a name that begins to mean a forbidden address between two hops', async () => {
    const answers = [['127.0.0.1'], ['127.0.0.2']];
    const resolve: Resolve = async () => answers.shift() ?? [];
    const port = new URL(origin).port;
    const url = `http://rebinding.example:${port}/302?to=${encodeURIComponent('/')}`;
    expect(await refusal(url, resolve, ['127.0.0.1/32'])).toBe('forbidden');
    expect(connects).toHaveBeenCalledTimes(1);
    expect(answers).toEqual([]);
  });
});

describe('An allowed address', () => {
  test('is connected to as it was checked: its name is not asked for again', async () => {
    const answers = [['127.0.0.1']];
    const resolve: Resolve = async () => answers.shift() ?? ['127.0.0.2'];
    const url = `http://rebinding.example:${new URL(origin).port}/`;
    expect(await refusal(url, resolve, ['127.0.0.1/32'])).toBe('answered 200');
  });

  test.each(['127.0.0.1', '0x7f.1', '[::ffff:127.0.0.1]', '127.1.'])('may be spelled %s', async (host) => {
    const { port } = new URL(origin);
    if (host.startsWith('[')) {
      // An operator that lists IPv4 means its mapped form too; whether the machine has IPv6 is another matter.
      expect(await refusal(`http://${host}:${port}/`, systemResolve, ['127.0.0.1/32'])).not.toBe('forbidden');
    } else
      expect(await refusal(`http://${host}:${port}/`, systemResolve, ['127.0.0.1/32'])).toBe('answered 200');
  });

  test.each([
    ['8.8.8.8', []],
    ['93.184.215.14', []],
    ['172.32.0.1', []],
    ['100.128.0.1', []],
    ['2606:4700:4700::1111', []],
    ['2a00:1450:4001::200e', []],
    ['::ffff:8.8.8.8', []],
    ['64:ff9b::808:808', []],
    ['10.2.3.4', ['10.0.0.0/8']],
    ['::ffff:10.2.3.4', ['10.0.0.0/8']],
    ['10.2.3.4', ['::ffff:10.0.0.0/104']],
    ['fd00::5', ['10.0.0.0/8', 'fd00::/8']],
    ['::1', ['::1/128']],
  ])('is %s with %j', (address, allow) => {
    expect(createAddressPolicy(allow)(address)).toBe(true);
  });

  test.each([
    ['11.0.0.1%eth0', ['0.0.0.0/0']],
    ['10.0.0.1', ['fd00::/8']],
    ['fe00::1', ['fd00::/8']],
    ['127.0.0.2', ['127.0.0.1/32']],
    ['64:ff9b::7f00:1', ['127.0.0.0/8']],
    ['2002:7f00:1::', ['127.0.0.0/8']],
    ['example.org', []],
    ['', []],
  ])('is not %s with %j', (address, allow) => {
    expect(createAddressPolicy(allow)(address)).toBe(false);
  });
});
