import { createDeviceCommandStore } from '../../db/myntrix/device-commands.ts';
import { createDeviceJobs } from '../../db/myntrix/device-jobs.ts';
import { createDeviceSettingsRepository } from '../../db/myntrix/device-settings.ts';
import { createDeviceTelemetryStore } from '../../db/myntrix/device-telemetry.ts';
import { createDeviceUploads } from '../../db/myntrix/device-uploads.ts';
import { createDeviceRepository } from '../../db/myntrix/devices.ts';
import type { JobRepository } from '../../db/myntrix/jobs.ts';
import { createHostAsker } from '../../drivers/devices/ask-hosts.ts';
import { createHearingRecord } from '../../drivers/devices/command-record.ts';
import { createCommandGiver } from '../../drivers/devices/give-command.ts';
import { createDeviceSecretRoutes } from '../host/device-secrets.ts';
import { createHostDeviceSettingsRoutes } from '../host/device-settings.ts';
import { createHostUploadRoutes } from '../host/uploads.ts';
import type { Route } from '../http/route.ts';
import type { SocketRoute } from '../http/socket.ts';
import type { ModuleDeps } from '../module.ts';
import { createDeviceSettingsRoutes } from '../neosyntis/device-settings.ts';
import type { Neosyntis } from '../neosyntis/module.ts';
import { createDeviceCommandRoutes } from './device-commands.ts';
import { createDeviceGateway } from './device-gateway.ts';
import { createDeviceJobTeller } from './device-job-teller.ts';
import { createDeviceJobCancel, createDeviceJobRoutes } from './device-jobs.ts';
import { createDeviceOrderRoutes } from './device-order-routes.ts';
import { createDeviceOrders } from './device-orders.ts';
import { createDeviceStop } from './device-stop.ts';
import { createDeviceTelemetrySocket } from './device-telemetry-socket.ts';
import { createDeviceUploadRoutes } from './device-uploads.ts';
import { createDeviceRoutes } from './devices.ts';
import { createHardwareRoutes } from './hardware.ts';

export interface DevicesDeps extends ModuleDeps {
  jobs: JobRepository;
  neosyntis: Pick<Neosyntis, 'secretValues'>;
}

/** Devices, their commands, jobs, settings and readings. */
export function createDevices(deps: DevicesDeps) {
  const { config, database, bus, temporal, blobs, streams, publish, log, jobs, neosyntis } = deps;
  const devices = createDeviceRepository(database);
  const deviceUploads = createDeviceUploads(database);
  const deviceJobs = createDeviceJobs(database);
  const tellDeviceJobs = createDeviceJobTeller(temporal, log);
  const cancelDeviceJob = createDeviceJobCancel({ deviceJobs, tell: tellDeviceJobs, publish });
  const deviceCommands = createDeviceCommandStore(database);
  const deviceSettings = createDeviceSettingsRepository(database);
  const deviceOrders = createDeviceOrders({
    ...{ devices, temporal, publish, log },
    tellJobs: tellDeviceJobs,
  });
  const asker = createHostAsker(bus);
  const record = createHearingRecord(deviceCommands, deviceSettings);
  const giveCommand = createCommandGiver({ record, asker });
  // So that hosts are known when somebody asks for the first time; else it is tried again then.
  asker
    .listen()
    .catch((error: unknown) => log.warn({ err: error }, 'hosts of devices are not listened to yet'));

  const routes: Route[] = [
    ...createDeviceSecretRoutes({ devices, values: neosyntis.secretValues, log }),
    ...createHostDeviceSettingsRoutes(deviceSettings),
    ...createDeviceSettingsRoutes({ settings: deviceSettings, devices, give: giveCommand }),
    ...createDeviceJobRoutes({ devices, jobs, deviceJobs, temporal, tell: tellDeviceJobs, publish }),
    ...createDeviceUploadRoutes({
      devices,
      uploads: deviceUploads,
      jobs: deviceJobs,
      blobs,
      temporal,
      tell: tellDeviceJobs,
      publish,
      limitBytes: config.VAREON_MAX_UPLOAD_BYTES,
      log,
    }),
    ...createDeviceRoutes({
      devices,
      commands: deviceCommands,
      orders: deviceOrders,
      defaultHost: config.VAREON_HOST_NAME,
    }),
    ...createDeviceOrderRoutes({ devices, orders: deviceOrders }),
    ...createDeviceCommandRoutes({
      devices,
      give: giveCommand,
      stop: createDeviceStop({ asker, record: deviceCommands, log }),
    }),
    ...createHardwareRoutes({ devices, orders: deviceOrders }),
    ...createHostUploadRoutes({ blobs, uploads: deviceUploads }),
  ];
  const sockets: SocketRoute[] = [
    createDeviceTelemetrySocket({
      devices,
      streams: streams.devices,
      gateway: createDeviceGateway({ bus, telemetry: createDeviceTelemetryStore(database) }),
    }),
  ];
  return { routes, sockets, cancelJob: cancelDeviceJob };
}
