import { Value } from 'typebox/value';
import type { LiveReading } from '../../domain/myntrix/host-telemetry.ts';
import {
  type DeviceUse,
  type SceneFacts,
  type SceneSubject,
  toolMetrics,
} from '../../domain/myntrix/scene.ts';
import { Visual } from '../../domain/myntrix/scene-fields.ts';
import { INSTALLATION_OWNER } from '../../domain/neosyntis/telemetry-limits.ts';
import type { Database } from '../orm.ts';
import { rows } from '../sql.ts';
import { statesAt } from './states.ts';

/** A device whose tool said nothing for so long before a past time is shown without. */
const PAST_SECONDS = 600;

export type SceneRepository = ReturnType<typeof createSceneRepository>;

/** What the 3D view shows of the present and of the past; it belongs to the installation. */
export function createSceneRepository(database: Pick<Database, 'em'>) {
  const { em } = database;

  async function factsAt(at: Date, isPast: boolean): Promise<SceneFacts> {
    const states = await statesAt(database, at);
    const names = metricsOf(states);
    const [loads, uses, readings] = await Promise.all([
      isPast ? new Map<string, number>() : loadsNow(),
      usesAt(at, isPast),
      isPast ? toolsAt(at, names) : toolsNow(names),
    ]);
    return {
      at,
      uses,
      readings,
      subjects: states.map((one): SceneSubject => ({ ...one, load: loads.get(one.subject) ?? null })),
    };
  }

  async function loadsNow(): Promise<Map<string, number>> {
    const found = await rows<{ id: string; load: number }>(
      em,
      "select id, cpu_percent as load from agents where status = 'running' and not removed",
    );
    return new Map(found.map(({ id, load }) => [id, Math.round(load)]));
  }

  /** Jobs that were under way, and runs that gave a command within the minute before. */
  const usesAt = (at: Date, isPast: boolean): Promise<DeviceUse[]> =>
    rows(
      em,
      `select j.id, j.details ->> 'device_id' as "deviceId", 'job' as kind, j.type,
         case when ? then 'running' else j.status end as status,
         case when ? then null else round(j.progress::numeric, 1)::float8 end as progress
       from jobs j
       where j.type in ('gcode', 'device_upload', 'firmware') and j.details ->> 'device_id' is not null
         and coalesce(j.started_at, j.created_at) <= ? and (j.ended_at is null or j.ended_at > ?)
       union all
       select distinct j.id, c.device_id::text, 'run', 'run', case when ? then 'running' else j.status end, null::float8
       from device_commands c join jobs j on j.id = c.run_id
       where c.created_at <= ?::timestamptz and c.created_at > ?::timestamptz - interval '1 minute'
         and (j.ended_at is null or j.ended_at > ?)
       order by 1 limit 5000`,
      [isPast, isPast, at, at, isPast, at, at, at],
    );

  async function toolsNow(names: readonly string[]): Promise<Map<string, LiveReading[]>> {
    return byDevice(
      await rows<Found>(
        em,
        'select device_id as id, metric, value, at::float8 as "atUs" from device_latest where metric in (?)',
        [names],
      ),
    );
  }

  async function toolsAt(at: Date, names: readonly string[]): Promise<Map<string, LiveReading[]>> {
    return byDevice(
      await rows<Found>(
        em,
        `select s.device_id as id, s.metric_name as metric, r.value, r.at::float8 as "atUs"
         from telemetry_series s cross join lateral (
           select value, at from telemetry_readings where series = s.no and at <= ? and at > ?
           order by at desc limit 1) r
         where s.owner_id = ? and s.device_id is not null and s.metric_name in (?)`,
        [at.getTime() * 1_000, (at.getTime() - PAST_SECONDS * 1_000) * 1_000, INSTALLATION_OWNER, names],
      ),
    );
  }

  return {
    now: (): Promise<SceneFacts> => factsAt(new Date(), false),
    past: (at: Date): Promise<SceneFacts> => factsAt(at, true),
  };
}

interface Found extends LiveReading {
  id: string;
}

function byDevice(found: readonly Found[]): Map<string, LiveReading[]> {
  const devices = new Map<string, LiveReading[]>();
  for (const { id, ...reading } of found) {
    const own = devices.get(id);
    if (own) own.push(reading);
    else devices.set(id, [reading]);
  }
  return devices;
}

/** The usual names, and those that people have given. */
function metricsOf(states: readonly { state: { visual?: unknown } }[]): string[] {
  const given = states.flatMap(({ state }) =>
    Value.Check(Visual, state.visual) ? Object.values(state.visual.tool ?? {}) : [],
  );
  return [...new Set([...Object.values(toolMetrics).flat(), ...given])];
}
