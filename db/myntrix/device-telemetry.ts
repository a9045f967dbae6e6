import { defineEntity, p } from '@mikro-orm/postgresql';
import { LRUCache } from 'lru-cache';
import type { DeviceTelemetry } from '../../domain/myntrix/host-telemetry.ts';
import { type LiveReading, readingsOf } from '../../domain/myntrix/host-telemetry.ts';
import { INSTALLATION_OWNER } from '../../domain/neosyntis/telemetry-limits.ts';
import { checked, type Window } from '../../domain/neosyntis/telemetry-rows.ts';
import {
  createTelemetrySeriesRepository,
  type KnownSeries,
  type SeriesName,
  seriesKey,
} from '../neosyntis/telemetry-series.ts';
import { type Columns, createTelemetryWriter, SeriesGone } from '../neosyntis/telemetry-write.ts';
import type { Database } from '../orm.ts';
import { prepared, rows } from '../sql.ts';

export const DeviceLatestEntity = defineEntity({
  name: 'DeviceLatest',
  tableName: 'device_latest',
  properties: {
    device_id: p.uuid().primary(),
    metric: p.text().primary(),
    value: p.double(),
    at: p.bigint('number'),
  },
});

/** Series whose numbers are remembered. */
const REMEMBERED = 20_000;

/** Readings of one device, as they came. */
export interface DeviceReadings {
  deviceId: string;
  readings: readonly LiveReading[];
}

export type DeviceTelemetryStore = ReturnType<typeof createDeviceTelemetryStore>;

/** What devices measured: in the telemetry of the installation, and the newest of each metric by itself. */
export function createDeviceTelemetryStore(database: Database) {
  const { em } = database;
  const series = createTelemetrySeriesRepository(database);
  const writer = createTelemetryWriter(database);
  const remembered = new LRUCache<string, KnownSeries>({ max: REMEMBERED });

  async function numbersOf(wanted: ReadonlyMap<string, SeriesName>): Promise<Map<string, number>> {
    const absent = new Map([...wanted].filter(([key]) => !remembered.has(key)));
    if (absent.size > 0)
      for (const [key, found] of await series.resolve(INSTALLATION_OWNER, absent)) remembered.set(key, found);
    const known = [...wanted.keys()].flatMap((key): [string, number][] => {
      const found = remembered.get(key);
      return found ? [[key, found.no]] : [];
    });
    return new Map(known);
  }

  /** @returns how many were new */
  async function write(gathered: Gathered): Promise<number> {
    const numbers = await numbersOf(gathered.names);
    const columns: Columns = { series: [], at: [], value: [] };
    for (const [key, byTime] of gathered.values) {
      const no = numbers.get(key);
      if (no === undefined) continue; // the installation has as many series as it may have
      for (const [at, value] of byTime) {
        columns.series.push(no);
        columns.at.push(at);
        columns.value.push(value);
      }
    }
    return writer.write(columns);
  }

  /** The newest of each metric, unless a newer one is there; and that the device was heard. */
  async function keepLatest({ newest }: Gathered): Promise<void> {
    const list = [...newest.values()].sort((a, b) => (a.key < b.key ? -1 : 1)); // as everybody locks them
    if (list.length === 0) return;
    await prepared(
      em,
      `with given as (
         select * from unnest(?::uuid[], ?::text[], ?::float8[], ?::bigint[]) as g (device_id, metric, value, at)
       ), heard as (
         update devices d set last_seen = g.at
         from (select device_id, least(now(), to_timestamp(max(at) / 1e6)) as at from given group by device_id) g
         where d.id = g.device_id and (d.last_seen is null or d.last_seen < g.at - interval '900 milliseconds')
       )
       insert into device_latest as l (device_id, metric, value, at)
       select g.device_id, g.metric, g.value, g.at from given g join devices d on d.id = g.device_id
       on conflict (device_id, metric) do update set value = excluded.value, at = excluded.at
       where l.at < excluded.at`,
      [
        list.map(({ deviceId }) => deviceId),
        list.map(({ metric }) => metric),
        list.map(({ value }) => value),
        list.map(({ atUs }) => atUs),
      ],
    );
  }

  return {
    /** Which host each of these devices is on, and that host's lease. Those that are gone are not among them. */
    async places(ids: readonly string[]): Promise<Map<string, { host: string; generation: number | null }>> {
      const found = await prepared<{ id: string; host: string; generation: string | null }>(
        em,
        `select d.id, d.host, h.generation from devices d left join hosts h on h.name = d.host
         where d.id = any(?::uuid[]) and d.removed_at is null`,
        [ids],
      );
      return new Map(
        found.map(({ id, host, generation }) => [
          id,
          { host, generation: generation === null ? null : Number(generation) },
        ]),
      );
    },

    /** Stores readings; the same again changes nothing, and they may come in any order. */
    async store(
      telemetry: readonly DeviceReadings[],
      window: Window,
    ): Promise<{ stored: number; refused: number }> {
      const gathered = gather(telemetry, window);
      const stored = await write(gathered).catch((error) => {
        if (!(error instanceof SeriesGone)) throw error;
        remembered.clear();
        return write(gathered);
      });
      await keepLatest(gathered);
      return { stored, refused: gathered.refused };
    },

    /** The newest of each metric of a device. */
    async latest(deviceId: string): Promise<LiveReading[]> {
      const found = await rows<{ metric: string; value: number; at: number }>(
        em,
        'select metric, value, at::float8 as at from device_latest where device_id = ? order by metric',
        [deviceId],
      );
      return found.map(({ metric, value, at }) => ({ metric, value, atUs: at }));
    },
  };
}

/** The readings of several messages of one device. */
export const readingsOfAll = (deviceId: string, telemetry: readonly DeviceTelemetry[]): DeviceReadings => ({
  deviceId,
  readings: telemetry.flatMap(readingsOf),
});

interface Gathered {
  names: Map<string, SeriesName>;
  /** By series and time: the last one that came counts. */
  values: Map<string, Map<number, number>>;
  newest: Map<string, LiveReading & { key: string; deviceId: string }>;
  refused: number;
}

function gather(telemetry: readonly DeviceReadings[], window: Window): Gathered {
  const gathered: Gathered = { names: new Map(), values: new Map(), newest: new Map(), refused: 0 };
  const { names, values, newest } = gathered;
  for (const { deviceId, readings } of telemetry) {
    const keys = new Map<string, string>();
    for (const reading of readings) {
      const { metric, value, atUs } = reading;
      const named = { metric, workflowId: null, datasetId: null, deviceId, tags: [] };
      if (typeof checked({ ...named, value, atUs }, window) === 'string') {
        gathered.refused++;
        continue;
      }
      let key = keys.get(metric);
      if (key === undefined) {
        key = seriesKey(named);
        keys.set(metric, key);
        names.set(key, named);
        if (!values.has(key)) values.set(key, new Map());
      }
      values.get(key)?.set(atUs, value);
      const before = newest.get(key);
      if (!before || before.atUs <= atUs) newest.set(key, { ...reading, key, deviceId });
    }
  }
  return gathered;
}
