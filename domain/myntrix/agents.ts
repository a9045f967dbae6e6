import { type Static, Type } from 'typebox';
import { HostName } from '../system/hosts.ts';
import { Id, literals, nullable, Time } from '../wire.ts';

export const agentStatuses = ['stopped', 'starting', 'running', 'stopping', 'error', 'unknown'] as const;
export type AgentStatus = (typeof agentStatuses)[number];

/** What a host can know of its agent; that the host itself is lost makes it `unknown`. */
export type HostAgentStatus = Exclude<AgentStatus, 'unknown'>;

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
    logs: Type.Optional(
      Type.Object(
        {
          maxBytes: Type.Optional(Type.Integer({ minimum: 4_096, maximum: 1_073_741_824 })),
          files: Type.Optional(Type.Integer({ minimum: 1, maximum: 100 })),
        },
        { ...closed, description: 'of what it prints, `files` pieces of `maxBytes` are kept; 5 of 10 MiB' },
      ),
    ),
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

/** Why an agent's process is not the one that ran before, or why it ended. */
export const endCauses = ['exit', 'memory', 'health', 'not_started', 'lost'] as const;

const HealthParts = Type.Object({
  liveness: Type.Number({ minimum: 0, maximum: 40 }),
  checks: Type.Number({ minimum: 0, maximum: 30 }),
  restarts: Type.Number({ minimum: 0, maximum: 20 }),
  resources: Type.Number({ minimum: 0, maximum: 10 }),
});
export type HealthParts = Static<typeof HealthParts>;

/** How the last process of an agent ended. */
const LastEnd = Type.Object({
  cause: literals(endCauses),
  code: nullable(Type.Integer({ description: 'its exit code, where it is known' })),
  signal: nullable(Type.String({ maxLength: 20 })),
  message: Type.String({ maxLength: 2_000 }),
  at: Time,
  log: Type.String({ maxLength: 8_192, description: 'the last lines that it printed' }),
});
export type LastEnd = Static<typeof LastEnd>;

/** What a host says of one of its agents; a later one has a higher `seq` within an epoch. */
export const AgentReport = Type.Object({
  id: Id,
  /** Of the order that the host follows; a later order has a higher one. */
  epoch: Type.Integer({ minimum: 0 }),
  seq: Type.Integer({ minimum: 0 }),
  status: literals(['stopped', 'starting', 'running', 'stopping', 'error'] as const),
  pid: nullable(Type.Integer({ minimum: 1 })),
  startedAt: nullable(Time),
  /** Restarts by the host since the agent was started. */
  restarts: Type.Integer({ minimum: 0 }),
  health: Type.Integer({ minimum: 0, maximum: 100 }),
  healthParts: HealthParts,
  /** Of one core, over the last sample. */
  cpuPercent: Type.Number({ minimum: 0 }),
  memoryBytes: Type.Integer({ minimum: 0 }),
  logBytes: Type.Integer({ minimum: 0 }),
  lastEnd: nullable(LastEnd),
});
export type AgentReport = Static<typeof AgentReport>;

/** What a host is told to run. */
export interface AgentOrder {
  id: string;
  name: string;
  epoch: number;
  configuration: AgentConfiguration;
}

export const MESSAGE_AGENTS = 50;

/** What a host says of some of its agents over the bus. */
export const AgentReports = Type.Object({
  reports: Type.Array(AgentReport, { maxItems: MESSAGE_AGENTS }),
});

/** A piece of output that a host is asked for. */
export interface AgentLogRequest {
  request: string;
  id: string;
  offset: number;
  limit: number;
  /** How long it waits for something to be there. */
  waitMs: number;
}

export const AgentLogAnswer = Type.Object({
  request: Type.String({ maxLength: 100 }),
  /** The host never had the agent. */
  missing: Type.Optional(Type.Boolean()),
  offset: Type.Integer({ minimum: 0 }),
  nextOffset: Type.Integer({ minimum: 0 }),
  text: Type.String({ maxLength: 400_000 }),
  total: Type.Integer({ minimum: 0 }),
});
export type AgentLogAnswer = Static<typeof AgentLogAnswer>;

const Name = Type.String({
  minLength: 1,
  maxLength: 200,
  pattern: '^[^\\u0000-\\u001f]+$',
  examples: ['collector'],
});
const Label = Type.String({ maxLength: 100, pattern: '^[^\\u0000-\\u001f]*$', examples: ['ingest'] });

export const Agent = Type.Object(
  {
    id: Id,
    name: Name,
    type: Type.String({ description: 'a free label, for people' }),
    owner_id: nullable(Id),
    status: Type.Unsafe<AgentStatus>(
      Type.Enum([...agentStatuses], { description: '`unknown` while its host is lost' }),
    ),
    desired: literals(['running', 'stopped'] as const),
    health: Type.Integer({ minimum: 0, maximum: 100 }),
    healthParts: HealthParts,
    lastRun: nullable(Time),
    configuration: AgentConfiguration,
    host: Type.String(),
    pid: nullable(Type.Integer()),
    restarts: Type.Integer({ minimum: 0 }),
    cpuPercent: Type.Number({ minimum: 0 }),
    memoryBytes: Type.Integer({ minimum: 0 }),
    uptimeSeconds: Type.Integer({ minimum: 0 }),
    logBytes: Type.Integer({ minimum: 0 }),
    lastEnd: nullable(LastEnd),
    createdAt: Time,
    updatedAt: Time,
  },
  { $id: 'Agent' },
);
export type Agent = Static<typeof Agent>;

export const NewAgent = Type.Object(
  { name: Name, type: Type.Optional(Label), configuration: AgentConfiguration },
  {
    additionalProperties: false,
    examples: [{ name: 'clock', configuration: { command: 'sleep', args: ['3600'] } }],
  },
);
export type NewAgent = Static<typeof NewAgent>;

/** Read-only fields count when they are unchanged. */
export const AgentUpdate = Type.Partial(
  Type.Object({ ...Agent.properties, name: Name, type: Label }, { additionalProperties: false }),
);

export type AgentUpdate = Static<typeof AgentUpdate>;

export const AgentStarted = Type.Object({ job_id: Id, agent: Agent }, { $id: 'AgentStarted' });

export const AgentLogPage = Type.Object(
  {
    offset: Type.Integer({
      description: 'where the text begins: later than asked for when that is not kept any more',
    }),
    nextOffset: Type.Integer({ description: 'bytes; ask for this next' }),
    text: Type.String(),
    total: Type.Integer({ description: 'bytes that it printed until now' }),
  },
  { $id: 'AgentLogPage' },
);
