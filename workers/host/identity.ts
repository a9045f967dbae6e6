import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Static, Type } from 'typebox';
import { Value } from 'typebox/value';
import { Enrolled, HostSettings } from '../../domain/system/host-access.ts';
import { ApiRefusal, createPlatformApi, type PlatformApi } from '../../drivers/platform-api/client.ts';
import type { BlobExchange } from '../../drivers/storage/port.ts';
import { createRemoteBlobs } from '../../drivers/storage/remote.ts';
import type { HostOptions } from './options.ts';

/** What a host keeps from its enrolment, so that a restart needs neither a token nor, for a while, the API. */
const Saved = Type.Object({
  api: Type.String(),
  name: Type.String(),
  credential: Type.String(),
  settings: HostSettings,
});
type Saved = Static<typeof Saved>;

export interface Identity {
  name: string;
  credential: string;
  api: PlatformApi;
  /** Large values, by way of the API. */
  blobs: BlobExchange;
  /** Where Temporal and the bus are now, or were when the API last answered. @throws ApiRefusal */
  settings(): Promise<HostSettings>;
}

/**
 * Who this host is: told by its supervisor, saved at an earlier enrolment, or enrolled now.
 * @throws Error that says what is missing; ApiRefusal with the API's own words.
 */
export async function establishIdentity(options: HostOptions): Promise<Identity> {
  const { dataDir, token } = options;
  if (options.credential) {
    if (!options.api) throw new Error('VAREON_HOST_CREDENTIAL needs VAREON_HOST_API, the address of the API');
    return identify({ api: options.api, name: options.name, credential: options.credential }, options);
  }
  const saved = readSaved(dataDir);
  if (saved && (saved.name !== options.name || (options.api && options.api !== saved.api)) && !token)
    throw new Error(
      `${dataDir} holds the host "${saved.name}" of ${saved.api}: give --data-dir another folder, or a --token to enrol anew`,
    );
  if (saved && saved.name === options.name && (!options.api || options.api === saved.api)) {
    const identity = identify(saved, options);
    if (!token || !(await wasRefused(identity))) return identity;
  }
  if (!token || !options.api)
    throw new Error(
      `this machine is not enrolled as "${options.name}" (nothing in ${dataDir}): give --api and --token; an administrator makes one by POST /api/hosts/enrolments`,
    );
  return enrol({ ...options, api: options.api, token });
}

async function enrol(options: HostOptions & { api: string; token: string }): Promise<Identity> {
  const { name, token, dataDir } = options;
  mkdirSync(dataDir, { recursive: true, mode: 0o700 }); // before the token is used up
  const api = createPlatformApi({ url: options.api, certificate: options.certificate });
  const { credential, settings } = await api.ask('POST', '/api/host/enrol', Enrolled, { token, name });
  save(dataDir, { api: options.api, name, credential, settings });
  return identify({ api: options.api, name, credential, settings }, options);
}

function identify(
  known: Omit<Saved, 'settings'> & { settings?: HostSettings },
  { dataDir, certificate, credential: given }: HostOptions,
): Identity {
  const { name, credential } = known;
  const api = createPlatformApi({ url: known.api, credential, certificate });
  let { settings } = known;
  return {
    name,
    credential,
    blobs: createRemoteBlobs({ apiUrl: known.api, credential, certificate }),
    api,
    async settings() {
      try {
        const fresh = await api.ask('GET', '/api/host/settings', HostSettings);
        if (!given && JSON.stringify(fresh) !== JSON.stringify(settings))
          save(dataDir, { api: known.api, name, credential, settings: fresh });
        settings = fresh;
      } catch (error) {
        if (error instanceof ApiRefusal && error.status === 401) throw error;
        if (!settings) throw error;
        // The API is away, and may stay so for a while: what it said last is still our best knowledge.
      }
      return settings;
    },
  };
}

const wasRefused = (identity: Identity): Promise<boolean> =>
  identity.settings().then(
    () => false,
    (error: unknown) => error instanceof ApiRefusal,
  );

const file = (dataDir: string) => join(dataDir, 'host.json');

function readSaved(dataDir: string): Saved | undefined {
  let text: string;
  try {
    text = readFileSync(file(dataDir), 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined; // never enrolled
    throw error;
  }
  const value: unknown = JSON.parse(text);
  if (!Value.Check(Saved, value))
    throw new Error(`${file(dataDir)} is not what an enrolment saved: enrol anew`);
  return value;
}

/** Whole or not at all, and readable by this user only: it holds the credential. */
function save(dataDir: string, saved: Saved): void {
  const temporary = `${file(dataDir)}.${process.pid}`;
  writeFileSync(temporary, JSON.stringify(saved, null, 2), { mode: 0o600, flush: true });
  renameSync(temporary, file(dataDir));
}
