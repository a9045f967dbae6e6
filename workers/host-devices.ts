import { join } from 'node:path';
import type { Config } from '../config.ts';
import type { DeviceRequest } from '../domain/myntrix/device-commands.ts';
import { MESSAGE_DEVICES } from '../domain/myntrix/device-reports.ts';
import { topics } from '../domain/names.ts';
import type { Bus } from '../drivers/bus/port.ts';
import type { DeviceMeans } from '../drivers/devices/connection.ts';
import { openTransport } from '../drivers/devices/open.ts';
import type { DeviceReporter } from '../drivers/devices/reporter.ts';
import type { OpenTransport } from '../drivers/devices/sessions/connect.ts';
import type { DeviceSessions } from '../drivers/devices/sessions/port.ts';
import { createDeviceSessions } from '../drivers/devices/sessions/sessions.ts';
import { openMock } from '../drivers/devices/transports/mock.ts';
import type { SystemAccess } from '../drivers/system/access.ts';
import { keepReporting } from './keep-reporting.ts';

/** What is told of a device is at most so old; and the platform knows the host's clock by it. */
const EVERY_MS = 1_000;
/** What nobody has recorded is said again. */
const AGAIN_MS = 2_000;

/** The devices of this host, for as long as its process lives. With `VAREON_MOCK_SERIAL` serial ports are made up. */
export async function createHostDevices({
  dataDir,
  config,
  access,
  means,
  reporter,
}: {
  dataDir: string;
  config: Config;
  access: SystemAccess;
  means: DeviceMeans;
  reporter: DeviceReporter;
}) {
  const isMocked = config.VAREON_MOCK_SERIAL;
  // So that it is told with the other fallbacks.
  if (isMocked)
    await access.read(
      'serial',
      async () => ({}),
      () => ({}),
    );
  const open: OpenTransport = (address, options) =>
    isMocked && address.transport === 'serial'
      ? Promise.resolve({ ...openMock({ transport: 'mock', name: address.path ?? 'serial' }), address })
      : openTransport(address, options);
  return createDeviceSessions({ folder: join(dataDir, 'devices'), open, means, reporter });
}

export interface HostDevicesOptions {
  bus: Bus;
  name: string;
  generation: number;
  devices: DeviceSessions;
}

/** Tells how a host's devices are: at once what changes, and all of it every second. */
export const reportDevices = ({ bus, name, generation, devices }: HostDevicesOptions): { stop(): void } =>
  keepReporting({
    bus,
    source: devices,
    everyMs: EVERY_MS,
    most: MESSAGE_DEVICES,
    isSentEmpty: true, // the platform knows the host's clock by it
    send: (reports) => bus.publish(topics.hostDevices(name), { generation, clock: devices.clock(), reports }),
  });

/** Carries out commands and emergency stops that the platform asks for, and says what came of them until it is recorded. */
export async function serveDevices({ bus, name, devices }: HostDevicesOptions): Promise<{ stop(): void }> {
  await bus.subscribe(topics.hostDeviceRequests(name), (message) => {
    const request = message as unknown as DeviceRequest; // only the platform may publish on this topic
    void devices.carryOut(request).then((answer) => bus.publish(topics.hostDeviceAnswers(name), answer));
  });
  await bus.subscribe(topics.hostDeviceReceipts(name), (message) => {
    const { ids } = message as unknown as { ids: string[] }; // only the platform may publish on this topic
    devices.recorded(ids);
  });
  const timer = setInterval(() => {
    for (const answer of devices.unrecorded()) bus.publish(topics.hostDeviceAnswers(name), answer);
  }, AGAIN_MS);
  return { stop: () => clearInterval(timer) };
}
