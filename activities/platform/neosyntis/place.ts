import type { HostGrantRepository, SeenCandidate } from '../../../db/system/host-grants.ts';
import { choose, type Placement, type Wanted } from '../../../domain/system/placement.ts';

export interface PlaceDeps {
  hostGrants: Pick<HostGrantRepository, 'candidates'>;
  /** Runs the steps of those who ask for nothing. */
  defaultHost: string;
}

/** Longer than hosts take to say what they hold. */
const REMEMBERED_MS = 10_000;

/** Chooses hosts for steps, with what was placed a moment ago in mind: a host says what it holds every few seconds. */
export function createPlace({ hostGrants, defaultHost }: PlaceDeps) {
  let placed: { host: string; at: number }[] = [];

  /** What a host said that it holds, and what it was given since. */
  const withPlaced = (candidate: SeenCandidate): SeenCandidate => {
    const saidAt = Date.now() - candidate.seen_ms_ago;
    const since = placed.filter(({ host, at }) => host === candidate.name && at > saidAt);
    return { ...candidate, sessions: candidate.sessions + since.length };
  };

  return async (runId: string, wanted: Wanted): Promise<Placement> => {
    const candidates = await hostGrants.candidates(runId);
    placed = placed.filter(({ at }) => at > Date.now() - REMEMBERED_MS);
    const placement = choose(candidates.map(withPlaced), wanted, defaultHost);
    if (placement.kind === 'placed') placed.push({ host: placement.host, at: Date.now() });
    return placement;
  };
}
