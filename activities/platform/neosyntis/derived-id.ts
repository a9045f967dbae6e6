import { parse, stringify, v5 as uuidv5 } from 'uuid';

/** A UUIDv7 of the run's time, the same for the same run and name (RFC 9562, 5.5 and 5.7). */
export function derivedId(runId: string, name: string): string {
  const bytes = parse(uuidv5(name, runId));
  bytes.set(parse(runId).subarray(0, 6));
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x70;
  return stringify(bytes);
}

/** The namespace of what ticks and events begin (RFC 9562, 5.5). */
const TICKS = '6f1d3c1e-7a53-4f5e-9d6b-0c2f4f0a7b11';

/** A UUIDv7 of a tick's nominal time, the same for the same schedule and time. */
export const tickId = (scheduleId: string, nominal: Date): string =>
  timedId(`${scheduleId} ${nominal.toISOString()}`, nominal);

/** A UUIDv7 of when the last of these events came, the same for the same schedule and events. */
export const eventRunId = (
  scheduleId: string,
  events: readonly { source: string; id: string }[],
  at: Date,
): string =>
  timedId(JSON.stringify([scheduleId, at.toISOString(), events.map(({ source, id }) => [source, id])]), at);

function timedId(name: string, at: Date): string {
  const bytes = parse(uuidv5(name, TICKS));
  new DataView(bytes.buffer).setBigUint64(0, (BigInt(at.getTime()) << 16n) | lowBits(bytes));
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x70;
  return stringify(bytes);
}

/** The 16 bits after the time of a UUIDv7. */
const lowBits = (bytes: Uint8Array): bigint => BigInt(((bytes[6] ?? 0) << 8) | (bytes[7] ?? 0));
