import { type Config, secretNames } from '../config.ts';

/** Of no use elsewhere: places of this machine, and what only the first start reads. */
const local =
  /^(dataDir|keysDir|VAREON_DATA_DIR|VAREON_WORKFLOW_BUNDLE|VAREON_BUS_PORT|VAREON_ADMIN_PASSWORD|LOG_LEVEL)$/;
const isSecret = (name: string) => secretNames.includes(name) || /PASSWORD|_URL$|TLS_KEY/.test(name);

/** The settings to set again on another machine: values, and of those that may hold secrets only names. */
export function settingsOf(env: Record<string, string | undefined>, config: Config) {
  const given = Object.keys(config).filter((name) => env[name] && !local.test(name));
  return {
    settings: Object.fromEntries(
      given.filter((name) => !isSecret(name)).map((name) => [name, env[name] ?? '']),
    ),
    secret_settings: given.filter((name) => isSecret(name)),
  };
}
