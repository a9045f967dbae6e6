import type { WantedSchedule } from '../../domain/system/schedules.ts';
import type { ScheduleCarrier } from './port.ts';

/** The rows that say what is wanted. */
export interface WantedRows {
  all(): Promise<WantedSchedule[]>;
  one(id: string): Promise<WantedSchedule | undefined>;
  /** Of one that was removed: nobody has it any more. */
  forget(id: string): Promise<void>;
}

/**
 * Brings one schedule in line with its row, as it is now. Who changes a row and comes here late must not put back what
 * was wanted before: so the row is read again afterwards, until it is as it was.
 */
export async function settle(id: string, rows: WantedRows, carrier: ScheduleCarrier): Promise<void> {
  for (let before: string | undefined; ; ) {
    const wanted = await rows.one(id);
    const now = JSON.stringify(wanted ?? null);
    if (now === before) return;
    before = now;
    if (wanted && !wanted.removed) await carrier.apply(wanted);
    else {
      await carrier.remove(id);
      if (wanted) await rows.forget(id);
    }
  }
}

/** The schedules that are not as their rows say: missing, different or nobody's. */
export async function astray(rows: WantedRows, carrier: ScheduleCarrier): Promise<string[]> {
  // A row comes before its schedule: what is there already has its row when rows are read now.
  const carried = await carrier.carried();
  const wanted = await rows.all();
  const text = (digests: { digest: string | undefined }[]) => JSON.stringify(digests);
  const known = new Set(wanted.map(({ id }) => id));
  return [
    ...wanted
      .filter((one) => one.removed || text(carrier.expected(one)) !== text(carried.get(one.id) ?? []))
      .map(({ id }) => id),
    ...[...carried.keys()].filter((id) => !known.has(id)),
  ];
}
