import { permissionsOf } from '../../domain/auth/permissions.ts';
import { INSTALLATION_OWNER } from '../../domain/neosyntis/telemetry-limits.ts';
import { createAccountReader } from '../auth/accounts.ts';
import type { Database } from '../orm.ts';
import { prepared, rows } from '../sql.ts';

/** Readings of one wait that one look takes. */
const READINGS = 500;

/** What one wait looks at: readings of a metric after a time. */
export interface Look {
  deviceId: string;
  metric: string;
  afterUs: number;
}

export interface Seen {
  /** Nothing for a device that is deleted. */
  readings: { atUs: number; value: number }[] | undefined;
}

export type DeviceWaits = ReturnType<typeof createDeviceWaits>;

/** What steps of runs that wait for devices ask. */
export function createDeviceWaits(database: Database) {
  const { em } = database;
  const accounts = createAccountReader(database);
  return {
    /** By id, or else by name; more than one when the name does not tell. */
    async find(device: string): Promise<{ id: string; name: string }[]> {
      const found = await rows<{ id: string; name: string }>(
        em,
        `select id, name from devices where removed_at is null and (id::text = lower(?) or name = ?)
         order by id::text = lower(?) desc, id limit 10`,
        [device, device, device],
      );
      return found[0]?.id === device.toLowerCase() ? found.slice(0, 1) : found;
    },

    /** Whether the owner of a run may read devices now. */
    async mayRead(runId: string): Promise<boolean> {
      const [job] = await rows<{ owner_id: string | null }>(em, 'select owner_id from jobs where id = ?', [
        runId,
      ]);
      const owner = job?.owner_id == null ? undefined : await accounts.byUser(job.owner_id);
      return owner !== undefined && permissionsOf(owner).has('myntrix:devices:read');
    },

    /** What came for each of these, oldest first. */
    async look(looks: readonly Look[]): Promise<Seen[]> {
      const found = await prepared<{ n: number; at: number | null; value: number }>(
        em,
        `select w.n::int as n, r.at::float8 as at, r.value
         from unnest(?::uuid[], ?::text[], ?::bigint[]) with ordinality as w (device, metric, after, n)
           join devices d on d.id = w.device and d.removed_at is null
           left join telemetry_series s on s.device_id = d.id::text and s.metric_name = w.metric and s.owner_id = ?
             and s.tags = '{}' and s.workflow_id is null and s.dataset_id is null
           left join lateral (
             select at, value from telemetry_readings r where r.series = s.no and r.at > w.after
             order by r.at limit ${READINGS}) r on true
         order by w.n, r.at`,
        [
          looks.map(({ deviceId }) => deviceId),
          looks.map(({ metric }) => metric),
          looks.map(({ afterUs }) => afterUs),
          INSTALLATION_OWNER,
        ],
      );
      const seen = looks.map((): Seen => ({ readings: undefined }));
      for (const { n, at, value } of found) {
        const one = seen[n - 1];
        if (!one) continue;
        one.readings ??= [];
        if (at !== null) one.readings.push({ atUs: at, value });
      }
      return seen;
    },
  };
}
