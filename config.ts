import { isIP } from 'node:net';
import { join, resolve } from 'node:path';
import { type Static, Type } from 'typebox';
import { Value } from 'typebox/value';
import type { mockFlag } from './domain/system/access.ts';
import type { RetentionPolicy } from './domain/system/retention.ts';
import { storageProblem } from './drivers/storage/open.ts';
import { readSecretFiles } from './secret-files.ts';

/**
 * All settings, read from the environment once by an entry point. The README's table and `.env.example` list
 * the ones that people set; the supervisor sets the others for the processes it starts.
 */
const port = (value?: number) =>
  Type.Integer({ minimum: 1, maximum: 65535, ...(value ? { default: value } : {}) });
const text = (value?: string) =>
  Type.String({ minLength: 1, ...(value === undefined ? {} : { default: value }) });
/** Never shown, and it may be given in a file: `<NAME>_FILE` (secret-files.ts). */
const secret = { secret: true };

/** Days that something is kept; 0 or `off` is for ever. */
// Not Type.Integer: half a day would be cut to none, which is for ever.
const days = (value: number) => Type.Number({ multipleOf: 1, minimum: 0, maximum: 36_500, default: value });

/** Made-up values in the place of what the machine says; docs/metrics.md. */
const flag = Type.Boolean({ default: false });
const mockFlags = {
  VAREON_MOCK_SYSTEM_METRICS: flag,
  VAREON_MOCK_FILE_SYSTEM: flag,
  VAREON_MOCK_NETWORK_INTERFACES: flag,
  VAREON_MOCK_PROCESSES: flag,
  VAREON_MOCK_SERIAL: flag,
} satisfies Record<ReturnType<typeof mockFlag>, typeof flag>;

const Settings = Type.Object(
  {
    VAREON_PORT: port(8000),
    VAREON_BIND: text('127.0.0.1'),
    VAREON_DATA_DIR: text('./.vareon'),
    /** Where the keys are when not in the data folder: read there, never made. */
    VAREON_KEYS_DIR: Type.Optional(text()),
    VAREON_ADMIN_PASSWORD: Type.Optional(Type.String({ minLength: 8, maxLength: 256, ...secret })),
    VAREON_PUBLIC_URL: Type.Optional(Type.String({ pattern: '^https?://[^/]+$' })),
    VAREON_OUTBOUND_ALLOW: Type.Optional(Type.String()),
    VAREON_CORS_ORIGINS: Type.Optional(Type.String()),
    VAREON_REGISTRATION: Type.Enum(['open', 'off'], { default: 'off' }),
    VAREON_RUN_AS: text('vareon-run'),
    /** The folder whose folders a host lends to containers. */
    VAREON_CONTAINER_VOLUMES: Type.Optional(Type.String({ pattern: '^/[^,:"]+$' })),
    VAREON_HOST_NAME: Type.String({ pattern: '^[a-z0-9][a-z0-9-]{0,62}$', default: 'local' }),
    /** The credential of the host of that name: whoever starts API and host together makes it, for both. */
    VAREON_HOST_CREDENTIAL: Type.Optional(Type.String({ pattern: '^vrh_[A-Za-z0-9_-]{22,100}$', ...secret })),
    /** Where a host finds the API. */
    VAREON_HOST_API: Type.Optional(Type.String({ pattern: '^https?://[^/]+/?$' })),
    /** A file with the API's certificate, which the host then trusts whatever name is in it. */
    VAREON_HOST_API_CERT: Type.Optional(text()),
    VAREON_HOST_TEMPORAL_ADDRESS: Type.Optional(Type.String({ pattern: '^[^/]+:[0-9]+$' })),
    VAREON_HOST_TEMPORAL_TLS: Type.Enum(['on', 'off'], { default: 'off' }),
    VAREON_HOST_TEMPORAL_API_KEY: Type.Optional(Type.String({ minLength: 1, ...secret })),
    VAREON_HOST_BUS_URL: Type.Optional(Type.String({ pattern: '^mqtts?://', ...secret })),
    VAREON_HOST_BUS_PASSWORD: Type.Optional(Type.String({ minLength: 1, ...secret })),
    /** How many reverse proxies stand before the API and add to X-Forwarded-For. */
    VAREON_TRUST_PROXY: Type.Integer({ minimum: 0, maximum: 10, default: 0 }),
    /** How often a host looks at its machine. */
    VAREON_METRICS_SECONDS: Type.Number({ minimum: 1, maximum: 3_600, default: 5 }),
    ...mockFlags,
    /** Touched every few seconds while the process works, for whoever watches its health. */
    VAREON_HEALTH_FILE: Type.Optional(text()),
    VAREON_MAX_CONNECTIONS: Type.Integer({ minimum: 10, maximum: 1_000_000, default: 10_000 }),
    VAREON_MAX_CONNECTIONS_PER_ADDRESS: Type.Integer({ minimum: 5, maximum: 1_000_000, default: 5_000 }),
    VAREON_MAX_SOCKETS_PER_USER: Type.Integer({ minimum: 1, maximum: 1_000_000, default: 1_000 }),
    VAREON_TLS_CERT: Type.Optional(text()),
    VAREON_TLS_KEY: Type.Optional(text()),
    ACCESS_TOKEN_EXPIRE_MINUTES: Type.Number({ exclusiveMinimum: 0, maximum: 10, default: 10 }),
    VERIFICATION_TOKEN_EXPIRE_MINUTES: Type.Number({ exclusiveMinimum: 0, maximum: 10080, default: 1440 }),
    VAREON_KEEP_RUNS_DAYS: days(30),
    VAREON_KEEP_LOGS_DAYS: days(30),
    VAREON_KEEP_EVENTS_DAYS: days(7),
    VAREON_KEEP_AUDIT_DAYS: days(365),
    VAREON_KEEP_METRICS_DAYS: days(30),
    VAREON_KEEP_TELEMETRY_DAYS: days(90),
    VAREON_KEEP_STATES_DAYS: days(30),
    /** Of the Temporal namespace; 0 leaves it as it is. */
    VAREON_KEEP_HISTORY_DAYS: days(7),
    LOG_LEVEL: Type.Enum(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'], { default: 'info' }),
    SMTP_URL: Type.Optional(Type.String({ pattern: '^smtps?://', ...secret })),
    SMTP_FROM: Type.String({ default: 'Vareon <vareon@localhost>' }),
    DATABASE_URL: Type.Optional(Type.String({ pattern: '^postgres(ql)?://', ...secret })),
    TEMPORAL_ADDRESS: Type.Optional(Type.String({ pattern: '^[^/]+:[0-9]+$' })),
    TEMPORAL_NAMESPACE: text('default'),
    TEMPORAL_UI_PORT: port(8233),
    TEMPORAL_UI_URL: Type.Optional(text()),
    TEMPORAL_CLI_PATH: Type.Optional(text()),
    BUS_URL: Type.Optional(Type.String({ pattern: '^mqtts?://', ...secret })),
    /** Set for the API by whoever wants it to carry the embedded broker; the port it listens on. */
    VAREON_BUS_PORT: Type.Optional(port()),
    BUS_USERNAME: Type.Optional(text()),
    BUS_PASSWORD: Type.Optional(Type.String({ minLength: 1, ...secret })),
    VAREON_WORKFLOW_BUNDLE: Type.Optional(text()),
    /** Open workflows that a platform worker remembers. 0 replays each at each turn: slow, and tells what no replay gives again. */
    VAREON_CACHED_WORKFLOWS: Type.Integer({ minimum: 0, maximum: 100_000, default: 1_000 }),
    /** After so many tasks and rounds a run goes on in another of Temporal's executions; fewer are for tests. */
    VAREON_LEG_TASKS: Type.Integer({ minimum: 1, maximum: 10_000, default: 1_000 }),
    /** Of one file for a device. */
    VAREON_MAX_UPLOAD_BYTES: Type.Integer({ minimum: 1_024, maximum: 2 ** 40, default: 2 ** 30 }),
    VAREON_STORAGE: Type.Optional(text()),
    AWS_ACCESS_KEY_ID: Type.Optional(Type.String({ minLength: 1, ...secret })),
    AWS_SECRET_ACCESS_KEY: Type.Optional(Type.String({ minLength: 1, ...secret })),
    /** Without it: off, and refused where TEMPORAL_ADDRESS names a server. The supervisor says it to its processes. */
    VAREON_PAYLOAD_CODEC: Type.Optional(Type.Enum(['on', 'off'])),
  },
  { additionalProperties: false },
);

export type Config = Static<typeof Settings> & { dataDir: string; keysDir: string };

export class ConfigError extends Error {
  readonly problems: string[];
  constructor(problems: string[]) {
    super(
      `Vareon cannot start with these settings:\n${problems.map((problem) => `  - ${problem}`).join('\n')}`,
    );
    this.name = 'ConfigError';
    this.problems = problems;
  }
}

type Environment = Record<string, string | undefined>;

const names = Object.keys(Settings.properties);
const isSecret = (name: string): boolean =>
  'secret' in (Settings.properties[name as keyof typeof Settings.properties] ?? {}); // any text: those that are none are undefined

/** The names of all settings, and of those among them that are secrets. */
export const settingNames: readonly string[] = names;
export const secretNames: readonly string[] = names.filter(isSecret);

/**
 * The environment with the secrets that it names as files put in place, for processes that are started with it.
 * @throws ConfigError as readConfig does
 */
export function withSecrets(env: Environment): Environment {
  const { values, problems } = readSecretFiles(env, names, isSecret);
  if (problems.length > 0) throw new ConfigError(problems);
  return values;
}

/**
 * Reads and checks the settings.
 * @throws ConfigError that names every problem, not only the first one.
 */
export function readConfig(environment: Environment): Config {
  const { values: env, problems } = readSecretFiles(environment, names, isSecret);
  const given = Object.fromEntries(
    names.flatMap((name) =>
      env[name] === undefined || env[name] === '' ? [] : [[name, worded(name, env[name])]],
    ),
  );
  const value = Value.Convert(Settings, Value.Default(Settings, given));
  for (const error of Value.Errors(Settings, value)) {
    const name = error.instancePath.slice(1) || 'environment';
    const choices = error.keyword === 'enum' ? `: ${error.params.allowedValues.join(', ')}` : '';
    problems.push(`${name}: ${error.message}${choices} (found ${describe(name, env[name])})`);
  }
  const config = value as Config; // checked just above; problems throw before it is used
  problems.push(...conflicts(config));
  if (problems.length > 0) throw new ConfigError([...new Set(problems)]);
  const dataDir = resolve(config.VAREON_DATA_DIR);
  return { ...config, dataDir, keysDir: resolve(config.VAREON_KEYS_DIR ?? join(dataDir, 'keys')) };
}

const worded = (name: string, value: string) =>
  name.startsWith('VAREON_KEEP_') && value === 'off' ? '0' : value;

/** How long what has ended is kept. */
export const retentionPolicy = (config: Config): RetentionPolicy => ({
  runsDays: config.VAREON_KEEP_RUNS_DAYS,
  logsDays: config.VAREON_KEEP_LOGS_DAYS,
  eventsDays: config.VAREON_KEEP_EVENTS_DAYS,
  auditDays: config.VAREON_KEEP_AUDIT_DAYS,
  metricsDays: config.VAREON_KEEP_METRICS_DAYS,
  telemetryDays: config.VAREON_KEEP_TELEMETRY_DAYS,
  statesDays: config.VAREON_KEEP_STATES_DAYS,
});

const describe = (name: string, value: string | undefined) =>
  value === undefined
    ? 'nothing'
    : isSecret(name) || /PASSWORD|URL|KEY|SECRET|CREDENTIAL/.test(name)
      ? 'a value that is not shown'
      : JSON.stringify(value);

function conflicts(config: Config): string[] {
  const problems: string[] = [];
  if (Boolean(config.VAREON_TLS_CERT) !== Boolean(config.VAREON_TLS_KEY))
    problems.push('VAREON_TLS_CERT and VAREON_TLS_KEY belong together: set both or neither');
  if (config.VAREON_PORT === config.TEMPORAL_UI_PORT && !config.TEMPORAL_ADDRESS)
    problems.push(`VAREON_PORT and TEMPORAL_UI_PORT are both ${config.VAREON_PORT}: choose two ports`);
  if (config.VAREON_MAX_CONNECTIONS_PER_ADDRESS > config.VAREON_MAX_CONNECTIONS)
    problems.push(
      `VAREON_MAX_CONNECTIONS_PER_ADDRESS is ${config.VAREON_MAX_CONNECTIONS_PER_ADDRESS}, more than VAREON_MAX_CONNECTIONS, ${config.VAREON_MAX_CONNECTIONS}: one address could take all`,
    );
  if (Boolean(config.BUS_USERNAME) !== Boolean(config.BUS_PASSWORD))
    problems.push('BUS_USERNAME and BUS_PASSWORD belong together: set both or neither');
  if (config.TEMPORAL_ADDRESS && !config.VAREON_PAYLOAD_CODEC)
    problems.push(
      'TEMPORAL_ADDRESS names a server of your own, where what runs read and give would stand in clear: ' +
        'set VAREON_PAYLOAD_CODEC=on to encrypt it, or off to leave it so',
    );
  if (Boolean(config.AWS_ACCESS_KEY_ID) !== Boolean(config.AWS_SECRET_ACCESS_KEY))
    problems.push('AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY belong together: set both or neither');
  const storage = config.VAREON_STORAGE && storageProblem(config.VAREON_STORAGE);
  if (storage) problems.push(`VAREON_STORAGE: ${storage}`);
  for (const origin of list(config.VAREON_CORS_ORIGINS))
    if (!/^https?:\/\/[^/]+$/.test(origin))
      problems.push(`VAREON_CORS_ORIGINS: "${origin}" is not an origin such as https://dash.example.org`);
  for (const range of list(config.VAREON_OUTBOUND_ALLOW))
    if (!isCidr(range))
      problems.push(`VAREON_OUTBOUND_ALLOW: "${range}" is not a CIDR range such as 10.0.0.0/8`);
  return problems;
}

function isCidr(range: string): boolean {
  const [address = '', prefix = '', ...rest] = range.split('/');
  const bits = { 0: -1, 4: 32, 6: 128 }[isIP(address)] ?? -1;
  return rest.length === 0 && /^\d{1,3}$/.test(prefix) && Number(prefix) <= bits;
}

/** A comma separated setting as a list. */
export const list = (value: string | undefined): string[] =>
  (value ?? '')
    .split(',')
    .map((item) => item.trim())
    .filter(Boolean);
