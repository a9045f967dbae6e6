import { defineEntity, p } from '@mikro-orm/postgresql';
import { DEVICE_LINES, type DeviceLog, type SourcedLine } from '../../domain/myntrix/host-telemetry.ts';
import type { Database, Sql } from '../orm.ts';
import { prepared, rows } from '../sql.ts';
import { deleted, PIECE_ROWS, type Piece } from '../system/retention.ts';

/** A line is known by where it came: the message's epoch and number, and its place in there. */
export const DeviceLineEntity = defineEntity({
  name: 'DeviceLine',
  tableName: 'device_lines',
  properties: {
    device_id: p.uuid().primary(),
    at: p.bigint('number').primary(),
    epoch: p.bigint('number').primary(),
    seq: p.bigint('number').primary(),
    n: p.integer().primary(),
    direction: p.text().$type<DeviceLog['direction']>(),
    level: p.text().$type<DeviceLog['level']>(),
    line: p.text(),
  },
});

export type DeviceLineStore = ReturnType<typeof createDeviceLineStore>;

/** The newest lines of each device, for who opens its page: DEVICE_LINES of them. */
export function createDeviceLineStore({ em }: Database) {
  return {
    /** The same again changes nothing. Lines of devices that are gone go nowhere. */
    async store(given: ReadonlyMap<string, readonly SourcedLine[]>): Promise<void> {
      const list = [...given].flatMap(([device, lines]) =>
        lines.slice(-DEVICE_LINES).map((line) => ({ device, ...line })),
      );
      if (list.length === 0) return;
      await prepared(
        em,
        `with given as (
           select * from unnest(?::uuid[], ?::bigint[], ?::bigint[], ?::bigint[], ?::int[], ?::text[], ?::text[], ?::text[])
             as g (device_id, at, epoch, seq, n, direction, level, line))
         insert into device_lines (device_id, at, epoch, seq, n, direction, level, line)
         select g.* from given g join devices d on d.id = g.device_id
         order by g.device_id, g.at, g.epoch, g.seq, g.n on conflict do nothing`,
        [
          list.map(({ device }) => device),
          list.map(({ at }) => at),
          list.map(({ epoch }) => epoch),
          list.map(({ seq }) => seq),
          list.map(({ n }) => n),
          list.map(({ direction }) => direction),
          list.map(({ level }) => level),
          list.map(({ line }) => line),
        ],
      );
      await prepared(
        em,
        `delete from device_lines l using (
           select o.* from unnest(?::uuid[]) as d (id) cross join lateral (
             select device_id, at, epoch, seq, n from device_lines where device_id = d.id
             order by at desc, epoch desc, seq desc, n desc offset ${DEVICE_LINES} limit 1) o) o
         where l.device_id = o.device_id and (l.at, l.epoch, l.seq, l.n) <= (o.at, o.epoch, o.seq, o.n)`,
        [[...given.keys()].sort()],
      );
    },

    /** Oldest first. */
    async last(deviceId: string): Promise<SourcedLine[]> {
      const found = await rows<SourcedLine>(
        em,
        `select at::float8 as at, epoch::float8 as epoch, seq::float8 as seq, n, direction, level, line
         from device_lines where device_id = ? order by at desc, epoch desc, seq desc, n desc limit ${DEVICE_LINES}`,
        [deviceId],
      );
      return found.reverse();
    },
  };
}

export const pruneDeviceLines = (tx: Sql, days: number): Promise<Piece> =>
  deleted(
    tx,
    `delete from device_lines where (device_id, at, epoch, seq, n) in (
       select device_id, at, epoch, seq, n from device_lines
       where at < (extract(epoch from now()) * 1000)::bigint - ?::bigint * 86400000 limit ${PIECE_ROWS})`,
    [days],
  );
