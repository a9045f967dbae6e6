import type { StoredEvent } from '../../domain/events.ts';
import type { DeviceOrder, DeviceReports } from '../../domain/myntrix/device-reports.ts';
import type { Device, Interrupted } from '../../domain/myntrix/devices.ts';
import type { Database, Sql } from '../orm.ts';
import { json, rows } from '../sql.ts';
import { appendEvents } from '../system/events.ts';
import { deviceEvent, type ToldDevice } from './device-events.ts';
import { shownDeviceReason, shownDeviceStatus } from './device-status.ts';

/** What a device's workflow has to do, as the row says now. */
export interface WantedDevice {
  order: DeviceOrder;
  desired: Device['desired'];
  host: string;
  removed: boolean;
  /** A host that was deleted never answers. */
  hostIsKnown: boolean;
}

export type DeviceOutcome = { kind: 'disconnected' } | { kind: 'error'; reason: string };

const told = `d.id, d.name, d.host, d.status, d.status_reason as "statusReason", d.desired,
  d.firmware_version as "firmwareVersion", d.emergency_note as "emergencyNote", d.mocked`;

type Changed = ToldDevice & { isNews: boolean };

/** The workers' side of devices: what hosts and workflows say of them. */
export function createDeviceReports({ em }: Pick<Database, 'em'>) {
  const tell = (tx: Sql, changed: Changed[]): Promise<StoredEvent[]> =>
    appendEvents(
      tx,
      changed.filter(({ isNews }) => isNews).map(({ isNews: _, ...device }) => deviceEvent(device)),
    );

  /** A host that began anew has lost what was under way: whether that had its effect is not known any more. */
  async function interrupt(tx: Sql, host: string, generation: number, ids: readonly string[]): Promise<void> {
    const lost = await rows<{ id: string; commands: Interrupted['commands'] }>(
      tx,
      `with gone as (
         update device_commands c set is_settled = true, reason = 'its host was lost before an answer was known'
         from devices d where d.id = c.device_id and d.id = any(?::uuid[]) and d.host = ? and not c.is_settled
           and d.reported_generation is not null and d.reported_generation <> ?
         returning c.device_id, c.id, c.command)
       select device_id as id, (json_agg(json_build_object('id', g.id, 'command', g.command) order by g.id))
         as commands from gone g group by 1`,
      [`{${ids.join(',')}}`, host, generation],
    );
    for (const { id, commands } of lost)
      await tx.execute(`update devices set interrupted = ?::jsonb where id = ?`, [
        json({
          at: new Date().toISOString(),
          reason: `The host "${host}" was lost.`,
          commands: commands.slice(0, 20),
        } satisfies Interrupted),
        id,
      ]);
  }

  return {
    /**
     * Notes what a host says of its devices. What is of another order than the newest, came after something newer, is
     * of an earlier life of the host or of another host's device, changes nothing.
     */
    apply: (host: string, { generation, reports }: DeviceReports): Promise<StoredEvent[]> =>
      em.fork().transactional(async (tx) => {
        if (reports.length === 0) return [];
        await interrupt(
          tx,
          host,
          generation,
          reports.map(({ id }) => id),
        );
        const changed = await rows<Changed>(
          tx,
          `update devices d set status = x.status, status_reason = x.reason,
             status_since = case when b.status <> x.status then now() else d.status_since end,
             last_seen = coalesce(x."lastSeen", d.last_seen), protocol = coalesce(x.protocol, d.protocol),
             firmware_name = coalesce(x."firmwareName", d.firmware_name),
             firmware_version = coalesce(x."firmwareVersion", d.firmware_version), mocked = x.mocked,
             safety = coalesce(x.safety, d.safety), emergency_note = x."emergencyNote",
             reported_generation = ?, reported_seq = x.seq,
             updated_at = case when b.status <> x.status then now() else d.updated_at end
           from jsonb_to_recordset(?::jsonb) as x(id uuid, epoch bigint, seq bigint, status text, reason text,
               "lastSeen" timestamptz, protocol text, "firmwareName" text, "firmwareVersion" text, mocked boolean,
               safety jsonb, "emergencyNote" text),
             (select id, status, status_reason, firmware_version, emergency_note, reported_generation
              from devices where host = ? order by id for update) as b
           where d.id = x.id and b.id = d.id and d.epoch = x.epoch
             and exists (select 1 from hosts h where h.name = ? and h.generation = ?)
             and (d.reported_generation is distinct from ? or x.seq > d.reported_seq)
             and (d.reported_generation, d.status, d.status_reason, d.last_seen, d.protocol, d.firmware_version,
                  d.mocked, d.safety, d.emergency_note)
               is distinct from (?::bigint, x.status, x.reason, x."lastSeen", x.protocol, x."firmwareVersion",
                  x.mocked, x.safety, x."emergencyNote")
           returning ${told}, (b.status, b.status_reason, b.firmware_version, b.emergency_note) is distinct from
             (d.status, d.status_reason, d.firmware_version, d.emergency_note)
             or b.reported_generation is distinct from d.reported_generation as "isNews"`,
          [generation, json(reports), host, host, generation, generation, generation],
        );
        return tell(tx, changed);
      }),

    /** What a device's workflow is to bring about; from now on it knows of this order. */
    async take(id: string): Promise<WantedDevice | undefined> {
      const [found] = await rows<
        Omit<DeviceOrder, 'epoch'> & Omit<WantedDevice, 'order'> & { epoch: string }
      >(
        em,
        `update devices d set taken = epoch where id = ?
         returning id, name, type, epoch, connection_string as "connectionString", configuration, desired, host,
           removed_at is not null as removed, exists (select 1 from hosts h where h.name = d.host) as "hostIsKnown"`,
        [id],
      );
      if (!found) return undefined;
      const { desired, host, removed, hostIsKnown, epoch, ...order } = found;
      return { order: { ...order, epoch: Number(epoch) }, desired, host, removed, hostIsKnown };
    },

    /** How an order ended, as its workflow knows it. One that cannot be followed is wanted no more. */
    settle: (id: string, epoch: number, end: DeviceOutcome): Promise<StoredEvent[]> =>
      em.fork().transactional(async (tx) => {
        const changed = await rows<Changed>(
          tx,
          `update devices d set status = ?::text, status_reason = ?, desired = 'disconnected', emergency_note = null,
             status_since = case when b.status <> ?::text then now() else d.status_since end, updated_at = now()
           from (select id, status, desired from devices where id = ? for update) as b
           where d.id = b.id and d.epoch = ?
           returning ${told}, (b.status, b.desired) is distinct from (d.status, d.desired) as "isNews"`,
          [end.kind, end.kind === 'error' ? end.reason : null, end.kind, id, epoch],
        );
        return tell(tx, changed);
      }),

    /** When nothing is left of a removed one. */
    async forget(id: string): Promise<void> {
      await em.execute('delete from devices where id = ? and removed_at is not null', [id]);
    },

    /** Devices that a workflow has to look after. */
    held: (olderThanMs: number): Promise<{ id: string; epoch: number }[]> =>
      numbered(
        em,
        `select id, epoch from devices where updated_at < now() - make_interval(secs => ?) and epoch > 0
           and (removed_at is not null or desired = 'connected' or status in ('connecting', 'connected'))
         order by id`,
        olderThanMs,
      ),

    /**
     * Devices whose workflow waits until a host lets go that was deleted meanwhile: it is never heard of again. A new
     * order has them look anew.
     */
    async freeOfDeletedHosts(olderThanMs: number): Promise<void> {
      await em.execute(
        `update devices d set epoch = epoch + 1, updated_at = now()
         where desired = 'disconnected' and taken = epoch and updated_at < now() - make_interval(secs => ?)
           and (removed_at is not null or status in ('connecting', 'connected'))
           and not exists (select 1 from hosts h where h.name = d.host)`,
        [olderThanMs / 1_000],
      );
    },

    /** Devices whose workflow was not told of the newest order. */
    untaken: (olderThanMs: number): Promise<{ id: string; epoch: number }[]> =>
      numbered(
        em,
        `select id, epoch from devices where taken < epoch and updated_at < now() - make_interval(secs => ?)
         order by id limit 100`,
        olderThanMs,
      ),
  };
}

async function numbered(em: Sql, statement: string, olderThanMs: number) {
  const found = await rows<{ id: string; epoch: string }>(em, statement, [olderThanMs / 1_000]);
  return found.map(({ id, epoch }) => ({ id, epoch: Number(epoch) }));
}

/** What is told of a host's devices when it is lost, or is there again. */
export const devicesOf = (sql: Sql, host: string): Promise<ToldDevice[]> =>
  rows(
    sql,
    `select d.id, d.name, d.host, ${shownDeviceStatus} as status, ${shownDeviceReason} as "statusReason", d.desired,
       d.firmware_version as "firmwareVersion", d.emergency_note as "emergencyNote", d.mocked
     from devices d where d.host = ? and d.removed_at is null
       and (d.desired = 'connected' or d.status in ('connecting', 'connected')) order by d.id`,
    [host],
  );
