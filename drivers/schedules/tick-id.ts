import { parse, stringify, v5 as uuidv5 } from 'uuid';
import { scheduleIdOf } from '../../domain/names.ts';

/** The namespace of what ticks and events begin (RFC 9562, 5.5). */
const TICKS = '6f1d3c1e-7a53-4f5e-9d6b-0c2f4f0a7b11';

/** A UUIDv7 of a tick's nominal time, the same for the same schedule and time. */
export const tickId = (scheduleId: string, nominal: Date): string =>
  timedId(`${scheduleId} ${nominal.toISOString()}`, nominal);

/** The same, by what has the schedule. */
export const tickIdOf = (subjectId: string, nominal: Date): string =>
  tickId(scheduleIdOf(subjectId), nominal);

/** A UUIDv7 of a time, the same for the same name. */
export function timedId(name: string, at: Date): string {
  const bytes = parse(uuidv5(name, TICKS));
  new DataView(bytes.buffer).setBigUint64(0, (BigInt(at.getTime()) << 16n) | lowBits(bytes));
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x70;
  return stringify(bytes);
}

/** The 16 bits after the time of a UUIDv7. */
const lowBits = (bytes: Uint8Array): bigint => BigInt(((bytes[6] ?? 0) << 8) | (bytes[7] ?? 0));
