/** Addresses that are not for users, of every kind there is. */
export const forbidden4 = [
  '127.0.0.1',
  '127.255.255.254',
  '10.0.0.1',
  '172.16.5.4',
  '172.31.255.255',
  '192.168.1.1',
  '169.254.169.254',
  '169.254.170.2',
  '100.64.0.1',
  '100.100.100.200',
  '0.0.0.0',
  '0.1.2.3',
  '192.0.0.192',
  '192.0.2.1',
  '192.88.99.1',
  '198.18.0.1',
  '198.51.100.7',
  '203.0.113.5',
  '224.0.0.1',
  '239.255.255.250',
  '240.0.0.1',
  '255.255.255.255',
  '168.63.129.16',
];

const octets = (address: string) => address.split('.').map(Number);
const number = (address: string) => octets(address).reduce((sum, octet) => sum * 256 + octet, 0);
const hex = (address: string) => number(address).toString(16).padStart(8, '0');
const groups = (address: string) => `${hex(address).slice(0, 4)}:${hex(address).slice(4)}`;
const inverted = (address: string) => ((number(address) ^ 0xffffffff) >>> 0).toString(16).padStart(8, '0');
const wide = (text: string) =>
  text.replaceAll(/[0-9]/g, (digit) => String.fromCodePoint(0xff10 + Number(digit)));

/** Each spells one IPv4 address so that somebody may understand it. */
export const spellings: Record<string, (address: string) => string> = {
  dotted: (a) => a,
  'decimal number': (a) => String(number(a)),
  'hexadecimal number': (a) => `0x${hex(a)}`,
  'upper case hexadecimal': (a) => `0X${hex(a).toUpperCase()}`,
  'octal number': (a) => `0${number(a).toString(8)}`,
  'dotted octal': (a) =>
    octets(a)
      .map((octet) => `0${octet.toString(8)}`)
      .join('.'),
  'dotted hexadecimal': (a) =>
    octets(a)
      .map((octet) => `0x${octet.toString(16)}`)
      .join('.'),
  'padded octal': (a) =>
    octets(a)
      .map((octet) => octet.toString(8).padStart(9, '0'))
      .join('.'),
  'two parts': (a) => `${octets(a)[0]}.${number(a) % 2 ** 24}`,
  'three parts': (a) => `${octets(a).slice(0, 2).join('.')}.${number(a) % 2 ** 16}`,
  'trailing dot': (a) => `${a}.`,
  'full-width digits': wide,
  'ideographic dots': (a) => a.replaceAll('.', '。'),
  'percent-encoded': (a) => [...a].map((char) => `%${char.charCodeAt(0).toString(16)}`).join(''),
  'IPv4-mapped': (a) => `[::ffff:${a}]`,
  'IPv4-mapped in groups': (a) => `[0:0:0:0:0:FFFF:${groups(a)}]`,
  'IPv4-compatible': (a) => `[::${a}]`,
  SIIT: (a) => `[::ffff:0:${a}]`,
  NAT64: (a) => `[64:ff9b::${a}]`,
  'NAT64 of a site': (a) => `[64:ff9b:1::${a}]`,
  '6to4': (a) => `[2002:${groups(a)}::1]`,
  Teredo: (a) => `[2001:0:4136:e378:8000:63bf:${inverted(a).slice(0, 4)}:${inverted(a).slice(4)}]`,
  ISATAP: (a) => `[2606:4700:1::5efe:${groups(a)}]`,
  'ISATAP of a global address': (a) => `[2606:4700:1::200:5efe:${groups(a)}]`,
};

export const forbidden6 = [
  '::',
  '::1',
  '0:0:0:0:0:0:0:1',
  '0000:0000:0000:0000:0000:0000:0000:0001',
  'fc00::1',
  'fd00:ec2::254',
  'FD00:EC2::254',
  'fd12:3456:789a::1',
  'fe80::1',
  'febf::1',
  'fec0::1',
  'ff02::1',
  'ff0e::1',
  '100::1',
  '2001:2::1',
  '2001:10::1',
  '2001:20::1',
  '2001:db8::1',
  '3fff::1',
  '5f00::1',
  '4000::1',
];

/** Whole URLs that hide where they go, or go where HTTP does not. */
export const tricks = [
  'http://example.org@127.0.0.1/',
  'http://example.org:80@127.0.0.1/',
  'http://user:password@example.org/',
  'http://@example.org/',
  'http://:@example.org/',
  'http://127.0.0.1#@example.org/',
  'http://127.0.0.1?@example.org/',
  'http://127.0.0.1;@example.org/',
  'http://127.0.0.1\\@example.org/',
  'http:\\\\127.0.0.1/',
  'http:127.0.0.1',
  'http:/127.0.0.1/',
  'http:///127.0.0.1/',
  '//127.0.0.1/',
  '/127.0.0.1',
  '127.0.0.1',
  'ht\ntp://127.0.0.1/',
  'http://127.0.\t0.1/',
  'http://127.0.0.1\r\nHost: example.org/',
  ' http://127.0.0.1/',
  'http://127.0.0.1 /',
  'http://[::1',
  'http://[fe80::1%25eth0]/',
  'http://[fe80::1%eth0]/',
  'http://[::1%25lo]/',
  'http://[::1]:99999/',
  'http://1.1.1.1.1.1/',
  'http://0x7f.0.0.0x100/',
  'http:// /',
  'http://',
  'https://',
  '',
  'file:///etc/passwd',
  'ftp://127.0.0.1/',
  'gopher://127.0.0.1:6379/_INFO',
  'dict://127.0.0.1:11211/stats',
  'ldap://127.0.0.1/',
  'data:text/plain,hello',
  'javascript:alert(1)',
  'blob:http://127.0.0.1/x',
  'unix:/var/run/docker.sock',
  'http+unix://%2Fvar%2Frun%2Fdocker.sock/',
  'ws://127.0.0.1/',
  'jar:http://127.0.0.1!/',
  'view-source:http://127.0.0.1/',
];
