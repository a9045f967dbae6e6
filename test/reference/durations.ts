import type { Json } from '../../domain/wire.ts';
import { Fault, standardFault } from './fault.ts';

const milliseconds: Record<string, number> = {
  days: 86_400_000,
  hours: 3_600_000,
  minutes: 60_000,
  seconds: 1_000,
  milliseconds: 1,
};

/** A duration in milliseconds: an object, or ISO 8601 with days, hours, minutes and seconds. */
export function durationMs(duration: Json): number {
  if (
    duration !== null &&
    typeof duration === 'object' &&
    !Array.isArray(duration) &&
    Object.keys(duration).length > 0
  )
    return Object.entries(duration).reduce((sum, [unit, count]) => {
      const factor = milliseconds[unit];
      if (factor === undefined || typeof count !== 'number' || count < 0) throw notOne(duration);
      return sum + factor * count;
    }, 0);
  const found =
    typeof duration === 'string'
      ? /^P(?=.)(?:(\d+)D)?(?:T(?=.)(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d+)?)S)?)?$/.exec(duration)
      : null;
  if (!found) throw notOne(duration);
  const [, days = '0', hours = '0', minutes = '0', seconds = '0'] = found;
  return Math.round(
    ((Number(days) * 24 + Number(hours)) * 60 + Number(minutes)) * 60_000 + Number(seconds) * 1_000,
  );
}

const notOne = (value: Json) =>
  new Fault(standardFault('validation', 400, `${JSON.stringify(value)} is no duration`));
