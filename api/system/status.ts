import type { HostTrouble } from '../../db/myntrix/system-metrics.ts';
import type { Principal } from '../../domain/auth/principal.ts';
import type { Degraded } from '../../domain/system/access.ts';
import {
  Health,
  isReady,
  type ModuleDetails,
  type ModuleStatus,
  parts,
  Readiness,
  SystemStatus,
  uptimeText,
} from '../../domain/system/status.ts';
import { ok, type Route, route } from '../http/route.ts';

export interface StatusRouteDeps {
  version: string;
  /** How long the API has been running. */
  uptimeSeconds(): number;
  readiness(): Promise<Readiness>;
  /** Counts of what somebody may see, by module. */
  details: Record<'neosyntis' | 'myntrix', (user: Principal) => Promise<ModuleDetails>>;
  /** Hosts that are silent, or make something up. */
  troubles(): Promise<HostTrouble[]>;
}

export const createStatusRoutes = ({
  version,
  uptimeSeconds,
  readiness,
  details,
  troubles,
}: StatusRouteDeps): Route[] => [
  route({
    method: 'GET',
    path: '/health',
    access: 'public',
    summary: 'Whether the API is alive',
    withoutDatabase: true,
    answers: { 200: { description: 'it is', schema: Health } },
    handler: async () => ok({ status: 'ok' }),
  }),
  route({
    method: 'GET',
    path: '/ready',
    access: 'public',
    summary: 'Whether the API has what it needs',
    withoutDatabase: true,
    answers: {
      200: { description: 'everything answers', schema: Readiness },
      503: {
        description: 'something does not; the rest still works as far as it can',
        schema: Readiness,
        example: { database: 'ok', temporal: 'no answer within 2 s', bus: 'ok' },
      },
    },
    async handler() {
      const found = await readiness();
      return { status: isReady(found) ? 200 : 503, body: found };
    },
  }),
  route({
    method: 'GET',
    path: '/api/system/status',
    access: 'system:status:read',
    summary: 'The state of the system and its modules',
    answers: {
      200: { description: 'counts are of what you may see', schema: SystemStatus, example: example(version) },
    },
    async handler({ user }) {
      const [found, neosyntis, myntrix, hosts] = await Promise.all([
        readiness(),
        details.neosyntis(user),
        details.myntrix(user),
        troubles(),
      ]);
      const seconds = uptimeSeconds();
      const up = running(seconds, missing(found));
      const modules = { neosyntis: up(neosyntis), myntrix: up(myntrix) };
      return ok(systemStatus(version, seconds, modules, degradedBy(found, hosts)));
    },
  }),
];

function systemStatus(
  version: string,
  seconds: number,
  modules: Pick<SystemStatus['modules'], 'neosyntis' | 'myntrix'>,
  degraded: Degraded[],
): SystemStatus {
  return {
    status: degraded.length === 0 ? 'ok' : 'degraded',
    version,
    ...uptime(seconds),
    modules: { arcana: absent('Arcana'), ...modules, cognisys: absent('Cognisys') },
    degraded,
  };
}

/** Parts that are away, and what hosts that are online cannot tell of their machines. */
function degradedBy(readiness: Readiness, hosts: readonly HostTrouble[]): Degraded[] {
  const away = parts
    .filter((part) => readiness[part] !== 'ok')
    .map((part) => ({ function: part, host: null, mocked: false, reason: readiness[part], since: null }));
  return [...away, ...hosts.flatMap(troublesOf)];
}

const troublesOf = ({ host, timestamp, stale, fallbacks }: HostTrouble): Degraded[] => [
  ...(stale
    ? [
        {
          function: 'system_metrics',
          host,
          mocked: false,
          reason: `The host is online and has sent nothing about its machine ${timestamp ? `since ${timestamp}` : 'yet'}.`,
          since: timestamp,
        },
      ]
    : []),
  ...fallbacks.map((fallback) => ({ ...fallback, host })),
];

const uptime = (seconds: number) => ({ uptime: uptimeText(seconds), uptime_seconds: Math.floor(seconds) });

const missing = (readiness: Readiness) =>
  parts.filter((part) => readiness[part] !== 'ok').map((part) => `${part}: ${readiness[part]}`);

const running =
  (seconds: number, problems: readonly string[]) =>
  (counts: ModuleDetails): ModuleStatus => ({
    status: problems.length === 0 ? 'ok' : 'degraded',
    ...uptime(seconds),
    details: problems.length === 0 ? counts : { ...counts, reason: problems.join('; ') },
  });

const absent = (name: string): ModuleStatus => ({
  status: 'unavailable',
  ...uptime(0),
  details: { reason: `This version has no ${name} features.` },
});

const example = (version: string) => {
  const up = running(93_784, []);
  return systemStatus(
    version,
    93_784,
    {
      myntrix: up({ hosts_online: 1, jobs_open: 2 }),
      neosyntis: up({
        workflows: 3,
        runs: { pending: 0, running: 2, waiting: 0, paused: 0, completed: 17, failed: 1, cancelled: 0 },
      }),
    },
    [],
  );
};
