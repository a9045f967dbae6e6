import type { Config } from '../config.ts';
import { busPassword, supervisedHostCredential } from '../drivers/bus/credentials.ts';
import type { Keys } from '../keys.ts';

type Environment = Record<string, string | undefined>;

/** Where the parts of this stack are, whether ours or somebody else's. */
export interface Places {
  databaseUrl: string;
  temporalAddress: string;
  temporalUiUrl: string | undefined;
  busUrl: string;
  /** The port of the broker inside the API; undefined with a broker of one's own. */
  busPort: number | undefined;
  workflowBundle: string;
  apiUrl: string;
}

export interface EnvironmentOptions {
  /** What the stack was started with. */
  env: Environment;
  config: Config;
  keys: Keys;
  places: Places;
  /** Node's cache of stripped and compiled sources. */
  compileCache: string;
}

/** The settings of each Node process that the stack starts. */
export function childEnvironments({ env, config, keys, places, compileCache }: EnvironmentOptions) {
  const { VAREON_ADMIN_PASSWORD: _never, ...platformEnv } = env;
  const hostCredential =
    config.VAREON_HOST_CREDENTIAL ?? supervisedHostCredential(keys.bus, config.VAREON_HOST_NAME);
  const common = {
    NODE_COMPILE_CACHE: compileCache,
    // glibc keeps memory of its own for each of many threads otherwise: 30 MB of the four processes, at rest.
    MALLOC_ARENA_MAX: env.MALLOC_ARENA_MAX ?? '2',
    TEMPORAL_ADDRESS: places.temporalAddress,
    TEMPORAL_NAMESPACE: config.TEMPORAL_NAMESPACE,
    VAREON_PAYLOAD_CODEC: config.VAREON_PAYLOAD_CODEC ?? 'off',
    BUS_URL: places.busUrl,
    VAREON_HOST_NAME: config.VAREON_HOST_NAME,
  };
  const platform = {
    ...platformEnv,
    ...common,
    ...busLogin(config, keys, places),
    DATABASE_URL: places.databaseUrl,
    VAREON_DATA_DIR: config.dataDir,
    VAREON_KEYS_DIR: config.keysDir,
    VAREON_PORT: String(config.VAREON_PORT),
  };
  return {
    api: {
      ...platform,
      ...(places.temporalUiUrl ? { TEMPORAL_UI_URL: places.temporalUiUrl } : {}),
      ...(places.busPort ? { VAREON_BUS_PORT: String(places.busPort) } : {}),
      VAREON_HOST_CREDENTIAL: hostCredential,
    },
    platform: { ...platform, VAREON_WORKFLOW_BUNDLE: places.workflowBundle },
    host: {
      ...onlyForHosts(env),
      ...common,
      // The embedded broker takes the credential itself.
      ...(places.busPort ? {} : { BUS_USERNAME: config.BUS_USERNAME, BUS_PASSWORD: config.BUS_PASSWORD }),
      VAREON_HOST_CREDENTIAL: hostCredential,
      VAREON_HOST_API: places.apiUrl,
      ...(config.VAREON_TLS_CERT ? { VAREON_HOST_API_CERT: config.VAREON_TLS_CERT } : {}),
      VAREON_DATA_DIR: `${config.dataDir}/hosts/${config.VAREON_HOST_NAME}`,
    },
  };
}

/** The platform's; with a broker of one's own it is what the settings say. */
function busLogin(config: Config, keys: Keys, places: Places): Environment {
  const username = 'platform';
  return places.busPort
    ? { BUS_USERNAME: username, BUS_PASSWORD: busPassword(keys.bus, username) }
    : { BUS_USERNAME: config.BUS_USERNAME, BUS_PASSWORD: config.BUS_PASSWORD };
}

/** A host runs what users write, so it is given names from this list and nothing else: no database, no keys, no mail. */
const hostNames =
  /^(PATH|HOME|USER|LOGNAME|SHELL|LANG|LC_\w+|TZ|TMPDIR|NODE_ENV|NODE_OPTIONS|NODE_EXTRA_CA_CERTS|SSL_CERT_(FILE|DIR)|LOG_LEVEL|VAREON_RUN_\w+|VAREON_CONTAINER_\w+|VAREON_MOCK_\w+|VAREON_METRICS_SECONDS|VAREON_OUTBOUND_ALLOW|DOCKER_\w+|CONTAINERS?_\w+|XDG_RUNTIME_DIR)$/;

const onlyForHosts = (env: Environment): Environment =>
  Object.fromEntries(Object.entries(env).filter(([name]) => hostNames.test(name)));
