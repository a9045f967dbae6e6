import type { DeviceOrder, DeviceReport } from '../../../domain/myntrix/device-reports.ts';
import type { HostDeviceStatus } from '../../../domain/myntrix/devices.ts';
import type { DeviceReporter } from '../reporter.ts';

const TEXT = 2_000;

type Facts = Omit<DeviceReport, 'id' | 'epoch' | 'seq' | 'lastSeen'>;

/**
 * How a device is, as its session has it.
 * @param changed when something besides `lastSeen` has changed
 */
export function createSessionStatus(
  { id, epoch }: DeviceOrder,
  reporter: DeviceReporter,
  changed: () => void,
) {
  let now: Facts = {
    status: 'connecting',
    reason: null,
    protocol: null,
    firmwareName: null,
    firmwareVersion: null,
    mocked: false,
    safety: null,
    emergencyNote: null,
  };
  let lastSeen: Date | undefined;

  function set(change: Partial<Facts>): void {
    const next = { ...now, ...change };
    next.reason = next.reason?.slice(0, TEXT) ?? null;
    if (JSON.stringify(next) === JSON.stringify(now)) return;
    now = next;
    reporter.state(id, { status: now.status, ...(now.reason === null ? {} : { reason: now.reason }) });
    changed();
  }

  return {
    set,
    say: (status: HostDeviceStatus, reason: string | null): void => set({ status, reason }),
    now: (): Readonly<Facts> => now,
    /** The device said something. */
    heard(): void {
      lastSeen = new Date();
    },
    lastSeen: (): Date | undefined => lastSeen,
    report: (): Omit<DeviceReport, 'seq'> => ({
      id,
      epoch,
      ...now,
      lastSeen: lastSeen?.toISOString() ?? null,
    }),
  };
}

export type SessionStatus = ReturnType<typeof createSessionStatus>;
