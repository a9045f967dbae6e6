import { lookup } from 'node:dns/promises';
import { isIP, type LookupFunction } from 'node:net';
import { buildConnector } from 'undici';
import { OutboundError } from './port.ts';

/** All addresses of a name. */
export type Resolve = (hostname: string) => Promise<string[]>;

export const systemResolve: Resolve = async (hostname) =>
  (await lookup(hostname, { all: true, order: 'verbatim' })).map(({ address }) => address);

export interface ConnectDeps {
  mayReach(address: string): boolean;
  resolve: Resolve;
  /** For finding the addresses and connecting to one of them. */
  timeoutMs: number;
}

/**
 * Opens connections for one request. No socket is made unless every address of the host may be reached, and it is
 * made to those very addresses: a name that says something else a moment later changes nothing.
 */
export function createConnect(deps: ConnectDeps, signal: AbortSignal): buildConnector.connector {
  return (options, callback) => {
    const startedAt = performance.now();
    addressesOf(options.hostname, deps).then(
      (addresses) => {
        if (signal.aborted) return callback(aborted(signal), null);
        const timeout = Math.max(1, deps.timeoutMs - (performance.now() - startedAt));
        const open = buildConnector({
          timeout,
          lookup: always(addresses),
          autoSelectFamily: true,
          // Sessions would be shared between users.
          maxCachedSessions: 0,
          allowH2: false,
        });
        open(options, callback);
      },
      (error: Error) => callback(error, null),
    );
  };
}

const aborted = ({ reason }: AbortSignal): Error => (reason instanceof Error ? reason : new Error('aborted'));

async function addressesOf(hostname: string, deps: ConnectDeps): Promise<string[]> {
  const isLiteral = isIP(hostname) !== 0;
  const addresses = isLiteral ? [hostname] : await resolveInTime(hostname, deps);
  if (addresses.length === 0) throw new OutboundError('unresolved', 'the host name has no address');
  if (!addresses.every(deps.mayReach))
    throw new OutboundError(
      'forbidden',
      `${isLiteral ? 'the address' : 'an address of the host'} is not one that calls may reach (VAREON_OUTBOUND_ALLOW)`,
    );
  return addresses;
}

async function resolveInTime(hostname: string, { resolve, timeoutMs }: ConnectDeps): Promise<string[]> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(
      () => reject(new OutboundError('timeout', `the host name was not resolved within ${timeoutMs} ms`)),
      timeoutMs,
    );
  });
  try {
    return await Promise.race([resolve(hostname), late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Answers with what was checked. Node asks it for names only; a literal address is connected to as it is. */
const always =
  (addresses: string[]): LookupFunction =>
  (_hostname, options, callback) => {
    const all = addresses.map((address) => ({ address, family: isIP(address) }));
    if (options.all) return callback(null, all);
    const [first] = all;
    if (first) callback(null, first.address, first.family);
  };
