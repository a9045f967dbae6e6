import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parse } from 'yaml';

export interface ComposeService {
  image: string;
  command?: string[];
  entrypoint?: string[];
  environment?: Record<string, string | number | boolean>;
  secrets?: string[];
  volumes?: string[];
  networks?: string[];
  ports?: string[];
  restart?: string;
  healthcheck?: { test: string[] };
  depends_on?: Record<string, { condition: string }>;
  deploy?: { replicas?: number; resources?: { limits?: { cpus?: string; memory?: string } } };
  user?: string;
  cap_add?: string[];
}

export interface ComposeFile {
  services: Record<string, ComposeService>;
  networks: Record<string, { internal?: boolean } | null>;
  volumes: Record<string, unknown>;
  secrets: Record<string, { file: string }>;
}

export const repository = fileURLToPath(new URL('../..', import.meta.url));

/** docker-compose.yml as Compose reads it, but for variables, which stay as they are written. */
export const readCompose = (): ComposeFile =>
  parse(readFileSync(`${repository}docker-compose.yml`, 'utf8'), { merge: true }) as ComposeFile; // compose.test.ts checks it

/**
 * The environment that Compose gives a service, for a process outside of a container: secrets are in `secrets`, and
 * `instead` says what is elsewhere.
 * @param variables what the operator sets
 */
export function serviceEnvironment(
  service: string,
  options: { secrets: string; variables: Record<string, string>; instead: Record<string, string> },
): Record<string, string> {
  const { environment = {} } = readCompose().services[service] ?? {};
  const inPlace = (value: string) =>
    value
      .replace(
        /\$\{(\w+)(?::-([^}]*)|:\?[^}]*)?\}/g,
        (_all, name, usual) => options.variables[name] || (usual ?? ''),
      )
      .replaceAll('/run/secrets', options.secrets);
  const given = Object.entries(environment).map(([name, value]) => [name, inPlace(String(value))]);
  return { ...Object.fromEntries(given), ...options.instead };
}
