import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { parse } from 'yaml';
import { secretNames, settingNames } from '../../config.ts';
import { temporalDynamicConfig } from '../../local/temporal/part.ts';
import { makeSecrets } from '../../production/secrets.ts';
import { readCompose, repository } from '../topology/compose.ts';

const compose = readCompose();
const services = Object.entries(compose.services);
const ours = services.filter(([, { image }]) => image.startsWith('vareon:'));
const text = (file: string) => readFileSync(join(repository, file), 'utf8');

describe('docker-compose.yml', () => {
  test('gives our processes settings that exist, and secrets only as files', () => {
    expect(ours.map(([name]) => name)).toEqual(['api', 'platform', 'host']);
    for (const [, { environment = {} }] of ours)
      for (const name of Object.keys(environment)) {
        const secret = name.replace(/_FILE$/, '');
        const isKnown = settingNames.includes(name) || (name !== secret && secretNames.includes(secret));
        expect([name, isKnown]).toEqual([name, true]);
        // The bus's URL could hold a login; here it does not.
        expect(secretNames.filter((one) => !one.endsWith('BUS_URL'))).not.toContain(name);
      }
  });

  test('mounts the secrets that each service reads, and no others', () => {
    for (const [name, service] of services) {
      const { secrets = [] } = service;
      for (const secret of secrets) expect(compose.secrets).toHaveProperty([secret]);
      const values = JSON.stringify([service.environment, service.entrypoint, service.command]);
      const read = [...values.matchAll(/\/run\/secrets\/([\w.-]+)/g)].map(([, file]) => file);
      for (const file of read) expect([name, secrets]).toEqual([name, expect.arrayContaining([file])]);
    }
    const used = new Set(services.flatMap(([, { secrets = [] }]) => secrets));
    expect(new Set(Object.keys(compose.secrets))).toEqual(used);
  });

  test('gives keys and the database to the platform only, and to a host its own login', () => {
    const { api, platform, host } = compose.services;
    for (const service of [api, platform])
      expect(service?.secrets).toEqual(expect.arrayContaining(['jwt.key', 'encryption.key', 'database-url']));
    // Of a name and a mode of its own: in that container users' steps run, too.
    expect(host?.secrets).toEqual(['host-local.own-credential']);
    expect(host?.networks).toEqual(['hosts']);
    expect(compose.networks.data).toEqual({ internal: true });
    for (const name of ['postgres', 'temporal-schema', 'temporal-namespace'])
      expect(compose.services[name]?.networks).toEqual(['data']);
  });

  test('gives all APIs and platform workers one place for large values, which they may write to', () => {
    const { api, platform } = compose.services;
    const image = text('Dockerfile');
    for (const service of [api, platform]) {
      const setting = /^\$\{VAREON_STORAGE:-(.+)\}$/.exec(String(service?.environment?.VAREON_STORAGE));
      const [volume = '', mounted = ''] = service?.volumes?.[0]?.split(':') ?? [];
      expect(compose.volumes).toHaveProperty([volume]);
      expect(setting?.[1]).toBe(`${mounted}/blobs`);
      // A new volume gets the owner of the folder in the image, which the processes run as.
      expect(image).toMatch(new RegExp(`install -d -o vareon .*${mounted}( |$)`, 'm'));
    }
    expect(api?.volumes).toEqual(platform?.volumes);
  });

  test('names secrets that npm run secrets makes, and files that are there', () => {
    const folder = mkdtempSync(join(tmpdir(), 'vareon-compose-'));
    makeSecrets(folder, ['local']);
    const made = readdirSync(folder);
    rmSync(folder, { recursive: true });
    for (const [name, { file }] of Object.entries(compose.secrets)) {
      expect(file).toBe(`./secrets/${name}`);
      expect(made).toContain(name);
    }
    for (const [, { volumes = [] }] of services)
      for (const volume of volumes) {
        const [source = ''] = volume.split(':');
        if (source.startsWith('./')) expect(existsSync(join(repository, source))).toBe(true);
        else expect(compose.volumes).toHaveProperty([source]);
      }
  });

  test('pins every image, watches the health of what stays up, limits it and starts it again', () => {
    for (const [name, service] of services) {
      expect(service.image).toMatch(/^[\w/-]+:(\$\{\w+:-)?\d+\.\d+(\.\d+)?[\w.-]*\}?$/);
      const isOnce = service.restart?.startsWith('on-failure');
      if (isOnce) continue;
      expect([name, service.restart]).toEqual([name, 'unless-stopped']);
      expect([name, service.deploy?.resources?.limits?.memory]).toEqual([name, expect.any(String)]);
      // The UI's image has nothing to ask it with, and nobody waits for it.
      if (name !== 'temporal-ui')
        expect([name, service.healthcheck?.test]).toEqual([name, expect.any(Array)]);
    }
  });

  test('lets each service wait for what can be waited for', () => {
    for (const [, { depends_on = {} }] of services)
      for (const [name, { condition }] of Object.entries(depends_on)) {
        const needed = compose.services[name];
        const isOnce = needed?.restart?.startsWith('on-failure');
        expect(condition).toBe(isOnce ? 'service_completed_successfully' : 'service_healthy');
        if (!isOnce) expect(needed?.healthcheck).toBeDefined();
      }
  });

  test('opens the proxy to the world, the UI to this machine, and nothing else', () => {
    const open = Object.fromEntries(services.flatMap(([name, { ports }]) => (ports ? [[name, ports]] : [])));
    expect(open).toEqual({ proxy: ['80:80', '443:443'], 'temporal-ui': ['127.0.0.1:8233:8080'] });
  });

  test('runs Temporal with the settings of npm start', () => {
    const dynamic = parse(text('production/temporal-dynamic.yaml')) as Record<string, { value: unknown }[]>; // ours
    const here = Object.entries(dynamic).map(([name, [first]]) => `${name}=${JSON.stringify(first?.value)}`);
    expect(here).toEqual(temporalDynamicConfig);
  });
});

describe('The image', () => {
  const dockerfile = text('Dockerfile');

  test('has everything that the three entry points import, and Node of the version that the tests run on', () => {
    const copied = [...dockerfile.matchAll(/^COPY --from=build (.+) \S+$/gm)].flatMap(([, files = '']) =>
      files.split(' ').map((file) => file.replace('/app/', '')),
    );
    for (const file of importedBy([
      'api/main.ts',
      'workers/platform.ts',
      'workers/host.ts',
      'production/main.ts',
    ]))
      expect(copied).toContain(file.includes('/') ? file.split('/')[0] : file);
    const { dependencies } = JSON.parse(text('package.json'));
    expect(dockerfile.match(/^FROM node:\S+/gm)).toEqual(
      Array(2).fill(`FROM node:${dependencies.node}-bookworm-slim`),
    );
  });

  test('starts as a user without rights, under an init, with commands that exist', () => {
    expect(dockerfile).toMatch(/^USER 10001:10001$/m);
    expect(dockerfile).toMatch(/^ENTRYPOINT \["\/usr\/bin\/tini", /m);
    for (const [, { command = [] }] of ours)
      for (const file of command)
        expect(existsSync(join(repository, file.replace('--import=', '')))).toBe(true);
  });
});

/** Files of the repository that these import, directly or not. */
function importedBy(entries: string[]): string[] {
  const seen = new Set<string>();
  const visit = (file: string): void => {
    if (seen.has(file)) return;
    seen.add(file);
    for (const [, from = ''] of text(file).matchAll(/^(?:import|export)(?! type)[^;]*?'(\.{1,2}\/[^']+)'/gm))
      visit(join(file, '..', from));
  };
  for (const entry of entries) visit(entry);
  return [...seen];
}
