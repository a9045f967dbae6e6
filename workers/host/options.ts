import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { Value } from 'typebox/value';
import type { Config } from '../../config.ts';
import { HostName, Labels } from '../../domain/system/hosts.ts';

export const USAGE = `npm run host -- --api URL --token TOKEN --name NAME [--data-dir DIR] [--capability NAME[=VALUE]]...

  --api URL            where the API is, such as https://vareon.example.org
  --token TOKEN        of an enrolment (POST /api/hosts/enrolments); needed for the first start only
  --name NAME          the host's name: small letters, digits and dashes
  --data-dir DIR       where the host keeps its credential and output; ./.vareon/hosts/NAME unless given
  --capability K[=V]   something that steps may ask for, such as gpu=a100; again for more`;

export interface HostOptions {
  name: string;
  dataDir: string;
  /** Undefined: what was saved at the enrolment. */
  api?: string;
  certificate?: string;
  /** An enrolment token. */
  token?: string;
  /** Of a host that is started together with the platform. */
  credential?: string;
  labels: Labels;
}

export class UsageError extends Error {}

const definitions = {
  api: { type: 'string' },
  token: { type: 'string' },
  name: { type: 'string' },
  'data-dir': { type: 'string' },
  capability: { type: 'string', multiple: true },
  help: { type: 'boolean' },
} as const;

/** What a person typed, or what a supervisor set. @throws UsageError */
export function readHostOptions(args: string[], config: Config): HostOptions {
  const values = parse(args);
  if (values.help) throw new UsageError(USAGE);
  const name = values.name ?? config.VAREON_HOST_NAME;
  if (!Value.Check(HostName, name))
    throw new UsageError(`--name must be 1 to 63 small letters, digits and dashes, found "${name}"`);
  const api = values.api ?? config.VAREON_HOST_API;
  if (api !== undefined && !/^https?:$/.test(URL.parse(api)?.protocol ?? ''))
    throw new UsageError(`--api must be a URL such as https://vareon.example.org, found "${api}"`);
  if (values.token !== undefined && api === undefined)
    throw new UsageError('--token needs --api, the address of the API that gave it');
  const { VAREON_HOST_CREDENTIAL: credential, VAREON_HOST_API_CERT: certificate } = config;
  return {
    name,
    dataDir: credential ? config.dataDir : resolve(values['data-dir'] ?? `.vareon/hosts/${name}`),
    ...(api ? { api } : {}),
    ...(certificate ? { certificate } : {}),
    ...(values.token ? { token: values.token } : {}),
    ...(credential ? { credential } : {}),
    labels: labelsOf(values.capability ?? []),
  };
}

function parse(args: string[]) {
  try {
    return parseArgs({ args, options: definitions, strict: true, allowPositionals: false }).values;
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error)); // util.parseArgs says what is wrong
  }
}

/** `gpu` is true, `rack=3` a number, everything else text. */
function labelsOf(list: string[]): Labels {
  const labels = Object.fromEntries(
    list.map((item) => {
      const at = item.indexOf('=');
      return at < 0 ? [item, true] : [item.slice(0, at), typed(item.slice(at + 1))];
    }),
  );
  if (Value.Check(Labels, labels)) return labels;
  throw new UsageError(
    `--capability takes at most 30 of NAME or NAME=VALUE, names of small letters, digits, _ . and -, found ${list.join(' ').slice(0, 200)}`,
  );
}

function typed(text: string): string | number | boolean {
  if (text === 'true' || text === 'false') return text === 'true';
  return /^-?\d+(\.\d+)?$/.test(text) ? Number(text) : text;
}
