import { type Static, Type } from 'typebox';
import { type Json, literals } from '../wire.ts';
import { Degraded } from './access.ts';

export const Health = Type.Object({ status: Type.Literal('ok') });

export const parts = ['database', 'temporal', 'bus'] as const;
export type Part = (typeof parts)[number];

const partState = Type.String({ description: '`ok`, or why not', examples: ['ok'] });

/** What the API needs, part by part. */
export const Readiness = Type.Object(
  { database: partState, temporal: partState, bus: partState },
  { $id: 'Readiness' },
);
export type Readiness = Static<typeof Readiness>;

export const isReady = (readiness: Readiness): boolean => parts.every((part) => readiness[part] === 'ok');

export const moduleStatuses = ['ok', 'degraded', 'unavailable'] as const;

export type ModuleDetails = { [name: string]: Json };

const uptime = {
  uptime: Type.String({ examples: ['1d 2h 3m 4s'] }),
  uptime_seconds: Type.Integer({ minimum: 0, examples: [93_784] }),
};

const ModuleStatus = Type.Object(
  {
    status: Type.Unsafe<(typeof moduleStatuses)[number]>(
      Type.Enum([...moduleStatuses], {
        description:
          'degraded: a part of /ready is away; unavailable: this version has no features of the module',
      }),
    ),
    ...uptime,
    details: Type.Unsafe<ModuleDetails>({ type: 'object', description: 'counts of what you may see' }),
  },
  { $id: 'ModuleStatus' },
);
export type ModuleStatus = Static<typeof ModuleStatus>;

export const SystemStatus = Type.Object(
  {
    status: literals(['ok', 'degraded']),
    version: Type.String({ examples: ['0.1.0'] }),
    ...uptime,
    modules: Type.Object({
      arcana: ModuleStatus,
      myntrix: ModuleStatus,
      neosyntis: ModuleStatus,
      cognisys: ModuleStatus,
    }),
    degraded: Type.Array(Degraded, {
      description: 'what is away, made up or weaker than it should be, and why; `status` is degraded by it',
    }),
  },
  { $id: 'SystemStatus' },
);
export type SystemStatus = Static<typeof SystemStatus>;

/** Seconds as people read them: `1d 2h 3m 4s`, always with all four. */
export function uptimeText(seconds: number): string {
  const whole = Math.floor(seconds);
  const days = Math.floor(whole / 86_400);
  const hours = Math.floor(whole / 3_600) % 24;
  const minutes = Math.floor(whole / 60) % 60;
  return `${days}d ${hours}h ${minutes}m ${whole % 60}s`;
}
