import { Type } from 'typebox';
import type { SystemMetricsRepository } from '../../db/myntrix/system-metrics.ts';
import { AppError } from '../../domain/errors.ts';
import { planHistory } from '../../domain/myntrix/metric-steps.ts';
import {
  type HostSummary,
  MetricsHistory,
  type SystemMetrics,
  SystemMetricsAnswer,
} from '../../domain/myntrix/system-metrics.ts';
import { HostName } from '../../domain/system/hosts.ts';
import { Time } from '../../domain/wire.ts';
import { mockSample } from '../../drivers/system/mocks.ts';
import { ok, type Route, route } from '../http/route.ts';

const base = '/api/myntrix/system-metrics';
const HOUR_MS = 3_600_000;
const LONGEST_STEP = 31 * 86_400;

export interface SystemMetricsRouteDeps {
  metrics: Pick<SystemMetricsRepository, 'hosts' | 'latest' | 'history'>;
  /** Whose machine it is when nobody says. */
  defaultHost: string;
}

export const createSystemMetricsRoutes = ({ metrics, defaultHost }: SystemMetricsRouteDeps): Route[] => [
  route({
    method: 'GET',
    path: base,
    access: 'myntrix:metrics:read',
    errors: ['not_found'],
    summary: 'How a host’s machine is',
    description:
      'The newest sample of one host, and every host in short. `mocked` values are made up: `reason` says why. A host that is lost or silent is `stale`: its last values, and their time.',
    query: Type.Object({ host: Type.Optional(HostName) }, { additionalProperties: false }),
    answers: {
      200: { description: 'of the host asked for, or else the platform’s own', schema: SystemMetricsAnswer },
    },
    async handler({ query }) {
      const hosts = await metrics.hosts();
      const host = query.host ?? usual(hosts, defaultHost);
      const latest = query.host || hosts.length > 0 ? await metrics.latest(host) : undefined;
      return ok({ ...(latest ?? unheard(host)), hosts });
    },
  }),
  route({
    method: 'GET',
    path: `${base}/history`,
    access: 'myntrix:metrics:read',
    errors: ['not_found'],
    summary: 'How a host’s machine was',
    description:
      'Averages of each step, with the lowest and the highest sample; the last hour unless told. Samples are kept for a day, minutes for a week, hours as long as VAREON_KEEP_METRICS_DAYS says: the step is never finer than what is kept of the beginning.',
    query: Type.Object(
      {
        host: Type.Optional(HostName),
        from: Type.Optional(Time),
        to: Type.Optional(Time),
        step: Type.Optional(Type.Integer({ minimum: 1, maximum: LONGEST_STEP, description: 'seconds' })),
      },
      { additionalProperties: false },
    ),
    answers: { 200: { description: 'at most 2,000 points', schema: MetricsHistory } },
    async handler({ query }) {
      const now = Date.now();
      const host = query.host ?? usual(await metrics.hosts(), defaultHost);
      const toMs = query.to === undefined ? now : epochMs('to', query.to);
      const fromMs = query.from === undefined ? toMs - HOUR_MS : epochMs('from', query.from);
      const plan = planHistory({ fromMs, toMs, ...(query.step ? { step: query.step } : {}) }, now);
      const points = await metrics.history(host, plan);
      const [from = '', to = ''] = [plan.fromMs, plan.toMs].map((ms) => new Date(ms).toISOString());
      return ok({ host, from, to, step: plan.step, points });
    },
  }),
];

/** The platform's own host when it has told of itself, else whichever has. */
const usual = (hosts: readonly HostSummary[], own: string): string =>
  (
    hosts.find(({ host, timestamp }) => host === own && timestamp !== null) ??
    hosts.find(({ timestamp }) => timestamp !== null) ??
    hosts.find(({ host }) => host === own) ??
    hosts[0]
  )?.host ?? own;

const unheard = (host: string): SystemMetrics => ({
  host,
  timestamp: new Date().toISOString(),
  stale: true,
  ...mockSample(),
  mocked: true,
  reason: `The host "${host}" has sent nothing about its machine yet.`,
});

/** The format lets through what is no time: a leap second, a year that JavaScript has not. */
function epochMs(name: string, text: string): number {
  const ms = Date.parse(text);
  if (Number.isFinite(ms)) return ms;
  throw new AppError('invalid', `\`${name}\` is "${text}", which is no time.`, {
    errors: [{ path: `/${name}`, message: 'is no time' }],
  });
}
