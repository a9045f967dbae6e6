import type { SimulatedDevice, World } from './device.ts';
import { type FaultName, faultNames } from './faults.ts';
import type { RecordReport } from './record.ts';

/** A line on the side: each key is done, in this order. */
export interface Control {
  /** Forgets what it recorded and all faults. */
  clear?: true;
  rates?: Partial<Record<FaultName, number>>;
  /** Strikes once, after so many lines more. */
  once?: Partial<Record<FaultName, number>>;
  motionMs?: number;
  pauseMs?: number;
  say?: string;
  restart?: true;
  disconnect?: true;
}

/** What each line is answered by: what the device received and did so far. */
export type ControlAnswer =
  | (RecordReport & { faults: Record<FaultName, number>; isIdle: boolean })
  | { error: string };

export function obey(
  line: string,
  { world, device }: { world: World; device: SimulatedDevice },
): ControlAnswer {
  const { faults, record, options } = world;
  try {
    const control = JSON.parse(line) as Control; // by whoever started it
    if (control.clear) {
      faults.clear();
      record.clear();
    }
    for (const name of faultNames) {
      const share = control.rates?.[name];
      if (share !== undefined) faults.setRate(name, share);
      const skip = control.once?.[name];
      if (skip !== undefined) faults.once(name, skip);
    }
    if (control.motionMs !== undefined) options.motionMs = control.motionMs;
    if (control.pauseMs !== undefined) device.pause(control.pauseMs);
    if (control.say !== undefined) world.say(control.say);
    if (control.restart) device.start();
    if (control.disconnect) world.disconnect();
    return { ...record.report(), faults: { ...faults.counts }, isIdle: device.isIdle() };
  } catch (error) {
    return { error: `not a control line: ${error instanceof Error ? error.message : String(error)}` };
  }
}
