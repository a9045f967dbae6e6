import { type Static, Type } from 'typebox';
import { urlProblem } from '../outbound/request-rules.ts';
import { pointer } from '../pointer.ts';
import type { Json } from '../wire.ts';
import type { Endpoint } from './dsl/endpoint.ts';
import { isExpression } from './expressions.ts';
import { isObject, show } from './json.ts';
import { didYouMean } from './nearest.ts';
import { withSecretsOf } from './use/secret-names.ts';

/** What a definition names and does not have, as it was when the definition was saved. */
export interface Source {
  uri: string;
  /** Of the bytes that came: `sha256:` and hexadecimal digits. */
  digest: string;
  value: Json;
}

/** Of one version, by `WantedSource.key`. */
export type Sources = Readonly<Record<string, Source>>;

/** Something that has to be read before a definition can be saved. */
export interface WantedSource {
  key: string;
  /** Where it is named, in the definition as it is written out. */
  at: string;
  uri: string;
  /** With its authentication written out; it may hold expressions on secrets. */
  endpoint: Endpoint;
}

/** What reading one gave: its text, or what is wrong in words for the one who saves. */
export type ReadSource = { text: string; digest: string } | { problem: string };

/** A source as people see it. */
export const ShownSource = Type.Object(
  {
    uri: Type.String(),
    digest: Type.String({ description: 'SHA-256 of what was read', examples: ['sha256:9f86d081884c7d65…'] }),
  },
  { $id: 'ShownSource' },
);

export const shownSources = (sources: Sources = {}): Static<typeof ShownSource>[] =>
  Object.values(sources).map(({ uri, digest }) => ({ uri, digest }));

/** Of one definition, distinct ones. */
export const MOST_SOURCES = 50;
/** Characters of one, and of the JSON of all of a definition. */
export const SOURCE_LIMIT = 128 * 1024;
export const SOURCES_LIMIT = 256 * 1024;

export const isOutside = (call: string): boolean => /^https?:\/\//i.test(call) || /^[^@]+@[^@]+$/.test(call);

export const functionKey = (call: string): string => `call ${call}`;
export const schemaKey = (resource: Record<string, unknown>): string =>
  `schema ${JSON.stringify(resource.endpoint)}`;

type Wanted = Omit<WantedSource, 'at'> | { problem: string };

/** The function that a `call` names by a URL, or as `name:version@catalog` (dsl.md, "Catalogs"). */
export function wantedFunction(call: string, use: unknown): Wanted {
  const key = functionKey(call);
  if (/^https?:\/\//i.test(call)) return wanted(key, call, call);
  const [, name = '', version = '', catalog = ''] =
    /^([\w.-]{1,100}):([\w.+-]{1,100})@([^@]+)$/.exec(call) ?? [];
  if (catalog === '' || /^\.+$/.test(name) || /^\.+$/.test(version))
    return { problem: `a catalog's function is written \`name:version@catalog\`, found ${show(call)}` };
  const catalogs = isObject(use) && isObject(use.catalogs) ? use.catalogs : {};
  if (!Object.hasOwn(catalogs, catalog))
    return {
      problem:
        catalog === 'default'
          ? 'this installation has no catalog `default` of its own: name one in `use.catalogs`'
          : `there is no \`use.catalogs.${catalog.slice(0, 100)}\`${didYouMean(catalog, Object.keys(catalogs))}`,
    };
  const given = catalogs[catalog];
  const endpoint = isObject(given) ? withAuthentication(given.endpoint, use) : undefined;
  const root: unknown = isObject(endpoint) ? endpoint.uri : endpoint;
  const address = literal(root);
  if (address === undefined)
    return {
      problem: `the \`endpoint\` of the catalog \`${catalog.slice(0, 100)}\` must be a URI as it stands`,
    };
  return wanted(key, `${address.replace(/\/+$/, '')}/functions/${name}/${version}/function.yaml`, endpoint);
}

/** The schema that `resource` names; names in its authentication were written out. */
export function wantedSchema(resource: Record<string, unknown>): Wanted {
  const { endpoint } = resource;
  const uri = literal(isObject(endpoint) ? endpoint.uri : endpoint);
  if (uri === undefined)
    return { problem: 'the `endpoint` must be a URI as it stands: it is read when you save' };
  return wanted(schemaKey(resource), uri, endpoint);
}

const literal = (text: unknown): string | undefined =>
  typeof text !== 'string' || isExpression(text) ? undefined : text;

function wanted(key: string, address: string, endpoint: unknown): Wanted {
  const problem = urlProblem(address);
  if (problem) return { problem };
  const uri = rawUri(address);
  const authentication = isObject(endpoint) ? endpoint.authentication : undefined;
  // What stands in it is checked before it is read.
  return { key, uri, endpoint: { uri, ...(authentication ? { authentication } : {}) } as Endpoint };
}

/** The authentication that an endpoint names, in the place of its name. */
function withAuthentication(endpoint: unknown, use: unknown): unknown {
  if (!isObject(endpoint) || !isObject(endpoint.authentication)) return endpoint;
  const { use: name } = endpoint.authentication;
  const all = isObject(use) && isObject(use.authentications) ? use.authentications : {};
  const policy = typeof name === 'string' && Object.hasOwn(all, name) ? all[name] : endpoint.authentication;
  if (!isObject(policy)) return endpoint;
  const authentication = { ...policy };
  withSecretsOf(authentication, '', new Map());
  return { ...endpoint, authentication };
}

/** Pages of GitHub and GitLab that show a file are read as that file (dsl.md, "Catalogs"). */
export function rawUri(address: string): string {
  const url = new URL(address);
  const parts = url.pathname.split('/').filter(Boolean);
  if (/^(www\.)?github\.com$/.test(url.hostname) && parts.length > 2) {
    const [owner, repository, kind, ...rest] = parts;
    const isPage = kind === 'tree' || kind === 'blob' || kind === 'raw';
    const path = isPage ? rest : ['HEAD', kind, ...rest];
    return `https://raw.githubusercontent.com/${[owner, repository, ...path].join('/')}${url.search}`;
  }
  const dash = parts.indexOf('-');
  if (dash > 0 && ['tree', 'blob'].includes(parts[dash + 1] ?? '')) {
    parts[dash + 1] = 'raw';
    return `${url.origin}/${parts.join('/')}${url.search}`;
  }
  if (url.hostname === 'gitlab.com' && dash < 0 && parts.includes('functions')) {
    const at = parts.indexOf('functions');
    return `${url.origin}/${[...parts.slice(0, at), '-', 'raw', 'HEAD', ...parts.slice(at)].join('/')}`;
  }
  return address;
}

/** What is wrong in what is elsewhere is said where it is named: its address, and the place in it. */
export const inSource = (uri: string, below: string, message: string): string =>
  `${uri}${below === '' ? '' : ` (at ${below})`}: ${message}`;

/** The origin of what stands in the place of something that is elsewhere. */
export const sourceOrigin = (at: string): string => pointer('~source', at);
