import { isIP } from 'node:net';
import ipaddr from 'ipaddr.js';

type Address = ipaddr.IPv4 | ipaddr.IPv6;
type Range = [Address, number];

/** The only part of IPv6 that is handed out for the public (RFC 4291, 2.4; IANA). */
const globalUnicast = ipaddr.IPv6.parseCIDR('2000::/3');
/** Carries an IPv4 address in its last 32 bits (RFC 6052); networks without IPv4 reach all of IPv4 by it. */
const nat64 = ipaddr.IPv6.parseCIDR('64:ff9b::/96');
/** Public by number, but answered by a cloud's own host agent (Azure). */
const hostAgents = [ipaddr.IPv4.parseCIDR('168.63.129.16/32')];

/**
 * Who may be reached: public addresses, and those in the ranges that the operator lists.
 * @param allow CIDR ranges; a range of IPv4 counts for IPv4-mapped IPv6 too.
 * @returns asks for one address, IPv4 or IPv6, as getaddrinfo writes it; anything else may not be reached.
 */
export function createAddressPolicy(allow: readonly string[]): (address: string) => boolean {
  const ranges = allow.map(readRange);
  return (text) => {
    if (isIP(text) === 0) return false;
    const address = ipaddr.process(text); // an IPv4-mapped address is the IPv4 address
    return ranges.some((range) => holds(range, address)) || isPublic(address);
  };
}

function readRange(text: string): Range {
  const [address, bits] = ipaddr.parseCIDR(text);
  return address instanceof ipaddr.IPv6 && address.isIPv4MappedAddress() && bits >= 96
    ? [address.toIPv4Address(), bits - 96]
    : [address, bits];
}

const holds = ([start, bits]: Range, address: Address): boolean =>
  start.kind() === address.kind() && address.match(start, bits);

function isPublic(address: Address): boolean {
  if (address instanceof ipaddr.IPv4)
    return address.range() === 'unicast' && !hostAgents.some((range) => holds(range, address));
  if (holds(nat64, address)) return isPublic(new ipaddr.IPv4(address.toByteArray().slice(12)));
  // What is left of transition mechanisms (6to4, Teredo, IPv4-compatible) is no unicast of this range.
  return holds(globalUnicast, address) && address.range() === 'unicast' && !isIsatap(address);
}

/** An interface identifier that holds an IPv4 address to tunnel to (RFC 5214, 6.1). */
function isIsatap(address: ipaddr.IPv6): boolean {
  const [first = 0, ...rest] = address.toByteArray().slice(8, 12);
  return (first & 0xfd) === 0 && rest.join('.') === '0.94.254';
}
