import type { Document, Task } from '../../domain/neosyntis/dsl.ts';
import { secretsNamed } from '../../domain/neosyntis/sealed.ts';
import { asItRuns } from '../../domain/neosyntis/use.ts';
import { walkTasks } from '../../domain/neosyntis/walk.ts';
import type { Envelope } from '../../domain/system/envelope.ts';
import type { Json } from '../../domain/wire.ts';
import type { Database } from '../orm.ts';
import { rows } from '../sql.ts';
import { secretPlace } from './secrets.ts';

export type SecretValues = ReturnType<typeof createSecretValues>;

/** Where a step is that asks for secrets. */
export interface StepPlace {
  runId: string;
  path: string;
  iteration: number[];
  host: string;
  /** By the run's clock, which also says when its steps end; ISO 8601. Workers of earlier versions do not say it. */
  at?: string;
}

/** The secrets of runs: whose they are says the run's row, nobody else. */
export function createSecretValues({ em }: Database, envelope: Envelope) {
  const opened = (found: { id: string; name: string; sealed: Buffer }[]): Record<string, Json> =>
    Object.fromEntries(
      // what was sealed is the JSON of a value
      found.map(({ id, name, sealed }) => [name, JSON.parse(envelope.open(sealed, secretPlace(id))) as Json]),
    );
  return {
    /** The values of those names that the run's owner has; an own one wins over a shared one. */
    async resolve(runId: string, names: readonly string[]): Promise<Record<string, Json>> {
      if (names.length === 0) return {};
      const found = await rows<{ id: string; name: string; sealed: Buffer }>(
        em,
        `select distinct on (s.name) s.id, s.name, s.sealed
         from jobs j join secrets s on s.owner_id = j.owner_id or s.shared
         where j.id = ? and j.type = 'workflow_run' and s.name in (${names.map(() => '?').join(', ')})
         order by s.name, (s.owner_id = j.owner_id) desc`,
        [runId, ...names],
      );
      return opened(found);
    },

    /** Those of a user, for what is read when a definition is saved. */
    async resolveOf(ownerId: string, names: readonly string[]): Promise<Record<string, Json>> {
      if (names.length === 0) return {};
      const found = await rows<{ id: string; name: string; sealed: Buffer }>(
        em,
        `select distinct on (s.name) s.id, s.name, s.sealed from secrets s
         where (s.owner_id = ? or s.shared) and s.name in (${names.map(() => '?').join(', ')})
         order by s.name, (s.owner_id = ?) desc`,
        [ownerId, ...names, ownerId],
      );
      return opened(found);
    },

    /** Those that administrators share: what is nobody's own, such as a device, has no others. */
    async resolveShared(names: readonly string[]): Promise<Record<string, Json>> {
      if (names.length === 0) return {};
      const found = await rows<{ id: string; name: string; sealed: Buffer }>(
        em,
        `select distinct on (name) id, name, sealed from secrets
         where shared and name in (${names.map(() => '?').join(', ')}) order by name, created_at`,
        [...names],
      );
      return opened(found);
    },

    /** The names that a user's runs can use. */
    async names(ownerId: string): Promise<Set<string>> {
      const found = await rows<{ name: string }>(
        em,
        'select name from secrets where owner_id = ? or shared',
        [ownerId],
      );
      return new Set(found.map(({ name }) => name));
    },

    /** Notes, before the host is asked to run it, that a step on that host may read its run's secrets. */
    async grant({ runId, path, iteration, host, at }: StepPlace): Promise<void> {
      await em.execute(
        `insert into secret_grants (run_id, path, iteration, host, granted_at)
         values (?, ?, ?::int[], ?, coalesce(?::timestamptz, now()))
         on conflict (run_id, path, iteration)
         do update set host = excluded.host, granted_at = excluded.granted_at`,
        [runId, path, `{${iteration.join(',')}}`, host, at ?? null],
      );
    },

    /**
     * The secrets that those steps of a run name which were granted some and are open on that host. A step that is
     * run again may be asked for before its row tells of it: an end before the grant is that of an earlier attempt.
     */
    async grantedNames(runId: string, host: string): Promise<Set<string> | undefined> {
      const [run] = await rows<{ document: Document; paths: string[] }>(
        em,
        `select v.document, open.paths from runs r join jobs j on j.id = r.id
         join workflow_versions v on v.workflow_id = r.workflow_id and v.version = r.version
         cross join lateral (
           select json_agg(distinct g.path) as paths from secret_grants g
           where g.run_id = r.id and g.host = ? and not exists (
             select from run_steps s where s.run_id = g.run_id and s.path = g.path
               and s.iteration = g.iteration and s.ended_at > g.granted_at)) open
         where r.id = ? and j.status not in ('completed', 'failed', 'cancelled') and open.paths is not null`,
        [host, runId],
      );
      return run && namedAt(run.document, new Set(run.paths));
    },
  };
}

/** A script is fetched by the platform: the secrets for that are not the host's. */
const forHost = (task: Task): unknown =>
  'run' in task && 'script' in task.run
    ? { ...task, run: { ...task.run, script: { ...task.run.script, source: undefined } } }
    : task;

/** The secrets that the tasks at these paths name. */
function namedAt(document: Document, paths: ReadonlySet<string>): Set<string> {
  const names = new Set<string>();
  walkTasks(asItRuns(document), (path, _name, task) => {
    if (paths.has(path)) for (const name of secretsNamed(forHost(task))) names.add(name);
  });
  return names;
}

/** Forgets who might have asked for the secrets of runs that have ended. */
export async function pruneGrants({ em }: Database): Promise<void> {
  await em.execute(
    `delete from secret_grants g using jobs j
     where j.id = g.run_id and j.status in ('completed', 'failed', 'cancelled')`,
  );
}
