/** What can go wrong with a line on its way to the device, and with the device's answer. */
export const faultNames = [
  /** A bit of the line is turned round. */
  'damage',
  /** The line never comes. */
  'lose',
  /** The line's end never comes: it runs into the next one. */
  'join',
  /** The device did it, but its answer is lost, or cannot be read. */
  'lose-ok',
  'damage-ok',
  /** A resend is asked for again and again. */
  'storm',
  /** A line of noise before the answer. */
  'noise',
  /** The answer comes late, and everything after it. */
  'slow',
  /** The device starts anew. */
  'reset',
  /** The line is cut in the middle of an answer. */
  'disconnect',
  /** The device says no, and does not do it. */
  'refuse',
] as const;
export type FaultName = (typeof faultNames)[number];

export interface Faults {
  /** Whether it happens now. */
  strikes(name: FaultName): boolean;
  /** The share of lines to which it happens from now on. */
  setRate(name: FaultName, share: number): void;
  /** Happens to the line after `skip` more that are asked about, for sure. */
  once(name: FaultName, skip: number): void;
  clear(): void;
  /** A whole number below `limit`. */
  random(limit: number): number;
  counts: Record<FaultName, number>;
}

/** @param seed the same faults at the same lines for the same seed */
export function createFaults(seed: number): Faults {
  const rates = new Map<FaultName, number>();
  const due = new Map<FaultName, number>();
  const counts = Object.fromEntries(faultNames.map((name) => [name, 0])) as Record<FaultName, number>; // of all names
  let state = seed >>> 0 || 1;
  /** Mulberry32: good enough to strike by, and the same everywhere. */
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  const isDue = (name: FaultName): boolean => {
    const left = due.get(name);
    if (left === undefined) return false;
    if (left > 0) due.set(name, left - 1);
    else due.delete(name);
    return left <= 0;
  };
  return {
    strikes(name) {
      const share = rates.get(name);
      const strikes = (due.size > 0 && isDue(name)) || (share !== undefined && next() < share);
      if (strikes) counts[name] += 1;
      return strikes;
    },
    setRate: (name, share) => void (share > 0 ? rates.set(name, share) : rates.delete(name)),
    once: (name, skip) => void due.set(name, skip),
    clear() {
      rates.clear();
      due.clear();
      for (const name of faultNames) counts[name] = 0;
    },
    random: (limit) => Math.floor(next() * limit),
    counts,
  };
}
