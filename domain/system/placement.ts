import type { Json } from '../wire.ts';
import type { Capabilities } from './hosts.ts';

/** What a step asks of the host that runs it. */
export interface Wanted {
  host?: string;
  /** All of these: the name must be there, and its value be as asked; null where any value will do. */
  capabilities: { [name: string]: Json };
}

/** A host as one run sees it. */
export interface Candidate {
  name: string;
  online: boolean;
  capabilities: Capabilities;
  /** What it holds now. */
  sessions: number;
  generation: number;
  /** Whether the run's owner may run code there. */
  allowed: boolean;
}

export type Placement =
  | { kind: 'placed'; host: string; generation: number }
  /** Nobody is there now; one may come. */
  | { kind: 'none'; reason: string }
  /** Nobody could, were they all online. */
  | { kind: 'unable'; reason: string }
  | { kind: 'refused'; reason: string };

/**
 * Chooses among hosts. A step that asks for nothing goes to the installation's own host while that is online:
 * hosts that joined get what asks for them, by name or by what they can do. Otherwise the least busy one.
 */
export function choose(candidates: readonly Candidate[], wanted: Wanted, defaultHost: string): Placement {
  const named = candidates.filter(({ name }) => wanted.host === undefined || name === wanted.host);
  const allowed = named.filter((candidate) => candidate.allowed);
  if (allowed.length === 0 && named.length > 0)
    return {
      kind: 'refused',
      reason: `The run's owner may not run code on ${wanted.host === undefined ? 'any host' : `host ${wanted.host}`}; an administrator can grant it.`,
    };
  if (Object.hasOwn(wanted.capabilities, 'container') && allowed.length > 0 && !allowed.some(mayContain))
    return {
      kind: 'unable',
      reason:
        wanted.host === undefined
          ? 'No host has docker or podman'
          : `Host ${wanted.host} has neither docker nor podman`,
    };
  const able = allowed.filter(({ capabilities }) => satisfies(capabilities, wanted.capabilities));
  const [best] = able
    .filter(({ online }) => online)
    .sort((a, b) => rank(a) - rank(b) || a.sessions - b.sessions || a.name.localeCompare(b.name));
  if (best) return { kind: 'placed', host: best.name, generation: best.generation };
  const hosts = wanted.host === undefined ? 'hosts that the run’s owner may use' : 'hosts';
  return { kind: 'none', reason: `None of the ${hosts} is online with ${inWords(wanted)}` };

  /** The own host first when nothing is asked for; when something is, it only wins a draw. */
  function rank({ name, sessions }: Candidate): number {
    if (Object.keys(wanted.capabilities).length === 0) return name === defaultHost ? 0 : 1;
    return sessions + (name === defaultHost ? 0 : 0.5);
  }
}

/** A host that has not said yet what it can do may have an engine. */
const mayContain = ({ capabilities: { code, container } }: Candidate): boolean =>
  code !== true || container !== undefined;

/** A number asks for at least so much; a text for the same, or for a version that begins so (`3.11`). */
export function satisfies(has: Capabilities, wanted: { [name: string]: Json }): boolean {
  return Object.entries(wanted).every(([name, value]) => {
    const own = Object.hasOwn(has, name) ? has[name] : undefined;
    if (own === undefined || own === null || own === false) return value === false;
    if (value === null) return true;
    if (typeof value === 'number') return typeof own === 'number' && own >= value;
    if (typeof value === 'string') return own === value || String(own).startsWith(`${value}.`);
    return own === value;
  });
}

/** What was asked for, to be read by a person. */
export function inWords({ host, capabilities }: Wanted): string {
  const asked = Object.entries(capabilities).map(([name, value]) =>
    value === null ? name : `${name}: ${JSON.stringify(value)}`,
  );
  const parts = [
    ...(host === undefined ? [] : [`the name ${host}`]),
    ...(asked.length === 0 ? [] : [`the capability ${asked.join(', ')}`]),
  ];
  return parts.join(' and ') || 'room for code';
}
