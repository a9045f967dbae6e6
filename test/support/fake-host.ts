import { randomBytes } from 'node:crypto';
import { v7 as uuidv7 } from 'uuid';
import { busClientId } from '../../drivers/bus/credentials.ts';
import { connectBus } from '../../drivers/bus/mqtt.ts';
import type { Bus } from '../../drivers/bus/port.ts';
import { until } from './client.ts';
import { expectStatus, type World } from './world.ts';

export interface FakeHost {
  name: string;
  bus: Bus;
  /** A row that says that a device is on this host. */
  newDevice(name?: string, configuration?: object): Promise<string>;
  close(): Promise<void>;
}

/** A host that has joined and has its own login to the bus; what it says there the test says. */
export async function joinAsHost(world: World): Promise<FakeHost> {
  const { token } = world.admin;
  const name = `bench-${randomBytes(4).toString('hex')}`;
  const enrolment = await expectStatus(201, world.api('POST', '/api/hosts/enrolments', { token, body: {} }));
  const { credential, settings } = await expectStatus(
    201,
    world.api('POST', '/api/host/enrol', { body: { token: enrolment.token, name } }),
  );
  const { url, username, password } = settings.bus;
  const bus = connectBus({
    url,
    username,
    password: password ?? credential,
    clientId: busClientId(username, 'host'),
    onError: () => {},
  });
  const isUp = () =>
    bus.check().then(
      () => true,
      () => false,
    );
  await until(isUp, Boolean, 60_000);
  return {
    name,
    bus,
    async newDevice(device = 'printer', configuration = {}) {
      const id = uuidv7();
      await world.sql(
        `insert into devices (id, name, type, connection_string, configuration, host, desired, status, status_since,
           created_at, updated_at)
         values (?, ?, 'marlin', 'mock://bench', ?::json, ?, 'disconnected', 'disconnected', now(), now(), now())`,
        [id, device, JSON.stringify(configuration), name],
      );
      return id;
    },
    async close() {
      await bus.close();
      await world.sql('delete from devices where host = ?', [name]);
      await world.api('DELETE', `/api/hosts/${name}`, { token });
    },
  };
}
