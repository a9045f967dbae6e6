import { type Static, Type } from 'typebox';
import { HostName } from '../system/hosts.ts';
import { literals } from '../wire.ts';
import { placed, WorksWith } from './scene-fields.ts';

export const restartPolicies = ['always', 'on-failure', 'never'] as const;

/** Signals that ask a process to end; what cannot be caught is not among them. */
export const stopSignals = ['SIGTERM', 'SIGINT', 'SIGQUIT', 'SIGHUP', 'SIGUSR1', 'SIGUSR2'] as const;

const DAY_MS = 86_400_000;
const ms = (minimum: number, maximum: number, description: string) =>
  Type.Optional(Type.Integer({ minimum, maximum, description }));
const text = (maxLength: number) => Type.String({ minLength: 1, maxLength, pattern: '^[^\\u0000]*$' });

const closed = { additionalProperties: false } as const;

const everyCheck = {
  intervalMs: ms(100, DAY_MS, 'from one check to the next; 10,000 unless given'),
  timeoutMs: ms(10, 600_000, 'a check that takes longer has failed; 5,000 unless given'),
  failureThreshold: Type.Optional(
    Type.Integer({ minimum: 1, maximum: 1_000, description: 'failures in a row before a restart; 3' }),
  ),
  startPeriodMs: ms(0, DAY_MS, 'failures do not count for so long after a start; 0'),
};

/** Exactly one kind of check. */
export const HealthCheck = Type.Union([
  Type.Object(
    {
      http: Type.Object(
        {
          port: Type.Integer({ minimum: 1, maximum: 65_535, description: 'on the agent’s own host' }),
          path: Type.Optional(Type.String({ pattern: '^/[^\\s\\u0000]*$', maxLength: 2_000 })),
        },
        closed,
      ),
      ...everyCheck,
    },
    closed,
  ),
  Type.Object(
    {
      tcp: Type.Object({ port: Type.Integer({ minimum: 1, maximum: 65_535 }) }, closed),
      ...everyCheck,
    },
    closed,
  ),
  Type.Object({ command: Type.Array(text(4_096), { minItems: 1, maxItems: 100 }), ...everyCheck }, closed),
  Type.Object(
    {
      heartbeatFile: Type.Object(
        {
          path: text(4_096),
          maxAgeMs: ms(100, DAY_MS, 'how old its last change may be; three intervals unless given'),
        },
        closed,
      ),
      ...everyCheck,
    },
    closed,
  ),
]);
export type HealthCheck = Static<typeof HealthCheck>;

const times = (what: string) =>
  Type.Optional({ ...text(200), description: `when it ${what}: as \`schedule\` of a task` });

/** When an agent is ordered something by itself: each is a scheduled task, of whoever saved it. */
const AgentSchedule = Type.Object(
  {
    start: times('starts'),
    stop: times('stops'),
    restart: times('restarts'),
    timezone: Type.Optional({ ...text(100), description: 'an IANA name; UTC without it' }),
  },
  { ...closed, examples: [{ start: '0 6 * * MON-FRI', stop: '0 20 * * *', timezone: 'Europe/Berlin' }] },
);

/** What an agent is: a process tree on a worker host, and how it is looked after. */
export const AgentConfiguration = Type.Object(
  {
    runtime: Type.Optional(
      Type.Unsafe<'process' | 'node' | 'python' | 'container'>(
        Type.Enum(['process', 'node', 'python', 'container'], { description: '`process` unless given' }),
      ),
    ),
    requirements: Type.Optional(
      Type.Array(
        // An option of pip begins with a dash; a line is one requirement.
        Type.String({ pattern: '^[A-Za-z0-9][^\\u0000-\\u001f]*$', maxLength: 500 }),
        {
          maxItems: 200,
          description: 'of `python`: what pip installs for it',
          examples: [['requests==2.32.3']],
        },
      ),
    ),
    image: Type.Optional(
      Type.String({ pattern: '^[A-Za-z0-9][\\w.:/@-]{0,499}$', description: 'of `container`' }),
    ),
    ports: Type.Optional(
      Type.Record(Type.String({ pattern: '^\\d{1,5}$' }), Type.Integer({ minimum: 1, maximum: 65_535 }), {
        maxProperties: 20,
        description: 'of `container`: its port, and the port on the host’s loopback',
      }),
    ),
    volumes: Type.Optional(
      Type.Record(
        Type.String({ pattern: '^[A-Za-z0-9_/][\\w./-]{0,499}$' }),
        Type.String({ pattern: '^/[^,:"\\u0000-\\u001f]+(:ro|:rw)?$', maxLength: 500 }),
        {
          maxProperties: 20,
          description: 'of `container`: a folder of VAREON_CONTAINER_VOLUMES, and its path inside',
        },
      ),
    ),
    pull: Type.Optional(literals(['missing', 'always', 'never'] as const)),
    command: Type.Optional(text(4_096)),
    script: Type.Optional(text(4_096)),
    code: Type.Optional(Type.String({ minLength: 1, maxLength: 262_144 })),
    args: Type.Optional(
      Type.Array(Type.String({ maxLength: 131_072, pattern: '^[^\\u0000]*$' }), { maxItems: 1_000 }),
    ),
    cwd: Type.Optional(Type.String({ pattern: '^/[^\\u0000]*$', maxLength: 4_096 })),
    env: Type.Optional(
      Type.Record(
        Type.String({ pattern: '^[A-Za-z_][A-Za-z0-9_]{0,254}$' }),
        Type.String({ maxLength: 32_768, pattern: '^[^\\u0000]*$' }),
        { maxProperties: 500 },
      ),
    ),
    restart: Type.Optional(literals(restartPolicies)),
    maxRestarts: Type.Optional(Type.Integer({ minimum: 0, maximum: 1_000_000 })),
    restartWindowMs: ms(1_000, DAY_MS, 'the window of `maxRestarts`; 60,000 unless given'),
    backoff: Type.Optional(
      Type.Object(
        {
          initialMs: ms(0, DAY_MS, 'before the first restart; 100 unless given'),
          maxMs: ms(0, DAY_MS, 'the longest; 30,000 unless given'),
          factor: Type.Optional(Type.Number({ minimum: 1, maximum: 100, description: '2 unless given' })),
        },
        closed,
      ),
    ),
    killTimeoutMs: ms(0, 600_000, 'from the stop signal to SIGKILL; 5,000 unless given'),
    stopSignal: Type.Optional(literals(stopSignals)),
    memoryLimitBytes: Type.Optional(
      Type.Integer({
        minimum: 1_048_576,
        maximum: Number.MAX_SAFE_INTEGER,
        description: 'of its whole tree',
      }),
    ),
    healthCheck: Type.Optional(HealthCheck),
    host: Type.Optional(HostName),
    schedule: Type.Optional(AgentSchedule),
    logs: Type.Optional(
      Type.Object(
        {
          maxBytes: Type.Optional(Type.Integer({ minimum: 4_096, maximum: 1_073_741_824 })),
          files: Type.Optional(Type.Integer({ minimum: 1, maximum: 100 })),
        },
        { ...closed, description: 'of what it prints, `files` pieces of `maxBytes` are kept; 5 of 10 MiB' },
      ),
    ),
    ...placed,
    devices: Type.Optional(WorksWith),
  },
  {
    $id: 'AgentConfiguration',
    additionalProperties: false,
    examples: [{ command: 'sleep', args: ['3600'], restart: 'always' }],
  },
);
export type AgentConfiguration = Static<typeof AgentConfiguration>;

/** What each runtime takes besides what all do. */
const ofRuntime = {
  process: ['command'],
  node: ['script', 'code'],
  python: ['script', 'code', 'requirements'],
  container: ['image', 'command', 'ports', 'volumes', 'pull'],
} as const;

/** What the schema alone cannot say. @returns a JSON pointer into the configuration and a message each. */
export function configurationProblems(given: AgentConfiguration): { path: string; message: string }[] {
  const { runtime = 'process', command, image, script, code, cwd, healthCheck } = given;
  const own: readonly string[] = ofRuntime[runtime];
  const found = [...new Set(Object.values(ofRuntime).flat())]
    .filter((name) => given[name] !== undefined && !own.includes(name))
    .map((name) => ({ path: `/${name}`, message: `is not for the runtime ${runtime}` }));
  const add = (path: string, message: string) => found.push({ path, message });
  if (runtime === 'process' && command === undefined) add('/command', 'is needed for the runtime process');
  if (runtime === 'container') {
    if (image === undefined) add('/image', 'is needed for the runtime container');
    if (cwd !== undefined) add('/cwd', 'is not for the runtime container');
    if (healthCheck && 'heartbeatFile' in healthCheck)
      add('/healthCheck/heartbeatFile', 'is not for the runtime container: the host does not see its files');
  }
  if ((runtime === 'node' || runtime === 'python') && (script === undefined) === (code === undefined))
    add('', `the runtime ${runtime} needs exactly one of script and code`);
  return found;
}

/** The configuration with everything that was left out. */
export type Settled = ReturnType<typeof settled>;

export const settled = (given: AgentConfiguration) => ({
  ...given,
  runtime: given.runtime ?? 'process',
  args: given.args ?? [],
  env: given.env ?? {},
  restart: given.restart ?? 'always',
  maxRestarts: given.maxRestarts ?? 10,
  restartWindowMs: given.restartWindowMs ?? 60_000,
  backoff: { initialMs: 100, maxMs: 30_000, factor: 2, ...given.backoff },
  killTimeoutMs: given.killTimeoutMs ?? 5_000,
  stopSignal: given.stopSignal ?? 'SIGTERM',
  logs: { maxBytes: 10_485_760, files: 5, ...given.logs },
});

export const settledCheck = (check: HealthCheck) => ({
  ...check,
  intervalMs: check.intervalMs ?? 10_000,
  timeoutMs: check.timeoutMs ?? 5_000,
  failureThreshold: check.failureThreshold ?? 3,
  startPeriodMs: check.startPeriodMs ?? 0,
});
