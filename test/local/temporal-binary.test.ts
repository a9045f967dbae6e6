import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { findTemporal, TEMPORAL_VERSION } from '../../local/temporal/binary.ts';
import { temporaryFolder } from './tools.ts';

const CLI = '#!/bin/sh\necho "temporal version 1.5.1 (Server 1.29.1, UI 2.42.1)"\n';
const NOWHERE = 'http://127.0.0.1:1';

function program(folder: string, name: string, content: string): string {
  mkdirSync(folder, { recursive: true });
  const path = join(folder, name);
  writeFileSync(path, content);
  chmodSync(path, 0o755);
  return path;
}

/** A machine of its own: its PATH has the system's tools, no Temporal and no Go. */
function machine(folder: string) {
  const bin = join(folder, 'bin');
  const cache = join(folder, 'cache');
  const said: string[] = [];
  return {
    bin,
    said,
    cached: join(cache, 'vareon', 'temporal', TEMPORAL_VERSION, 'temporal'),
    find: (env: Record<string, string> = {}, releases = NOWHERE) =>
      findTemporal({
        env: { PATH: `${bin}:/usr/bin:/bin`, XDG_CACHE_HOME: cache, HOME: folder, ...env },
        releases,
        progress: (text) => said.push(text),
        signal: new AbortController().signal,
      }),
  };
}

async function serve(
  status: number,
  body: Buffer,
): Promise<{ url: string; requests: string[]; close(): void }> {
  const requests: string[] = [];
  const server = createServer((request, response) => {
    requests.push(request.url ?? '');
    response.writeHead(status).end(body);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo; // it listens on TCP
  return { url: `http://127.0.0.1:${port}`, requests, close: () => server.close() };
}

describe("Temporal's binary", () => {
  test('is the one that TEMPORAL_CLI_PATH names, before the one on PATH', async () => {
    using folder = temporaryFolder();
    const { bin, find } = machine(folder.path);
    program(bin, 'temporal', CLI);
    const named = program(join(folder.path, 'own'), 'my-temporal', CLI);
    expect(await find({ TEMPORAL_CLI_PATH: named })).toBe(named);
    expect(await find()).toBe(join(bin, 'temporal'));
  });

  test('that TEMPORAL_CLI_PATH names and is something else is an error, not a reason to look further', async () => {
    using folder = temporaryFolder();
    const { bin, find } = machine(folder.path);
    program(bin, 'temporal', CLI);
    const named = program(folder.path, 'other', '#!/bin/sh\necho hello\n');
    await expect(find({ TEMPORAL_CLI_PATH: named })).rejects.toThrow(
      `TEMPORAL_CLI_PATH=${named} does not work`,
    );
  });

  test('is the cached one when PATH has none that runs', async () => {
    using folder = temporaryFolder();
    const { bin, cached, find } = machine(folder.path);
    program(bin, 'temporal', '#!/bin/sh\nexit 1\n');
    program(join(cached, '..'), 'temporal', CLI);
    expect(await find()).toBe(cached);
  });

  test('is downloaded when it is nowhere, and cached', async () => {
    using folder = temporaryFolder();
    const { cached, find, said } = machine(folder.path);
    program(join(folder.path, 'release'), 'temporal', CLI);
    const archive = join(folder.path, 'release.tar.gz');
    execFileSync('tar', ['-czf', archive, '-C', join(folder.path, 'release'), 'temporal']);
    const releases = await serve(200, readFileSync(archive));
    expect(await find({}, releases.url)).toBe(cached);
    expect(await find({}, NOWHERE)).toBe(cached);
    releases.close();
    expect(releases.requests).toEqual([expect.stringMatching(/^\/v1\.5\.1\?platform=\w+&arch=\w+$/)]);
    expect(said[0]).toContain('downloading Temporal');
  });

  test('is built with Go when it cannot be downloaded', async () => {
    using folder = temporaryFolder();
    const { bin, cached, find, said } = machine(folder.path);
    const go = `#!/bin/sh\necho "$@" > ${folder.path}/arguments\nprintf '${CLI.replaceAll('\n', '\\n')}' > "$GOBIN/temporal"\nchmod +x "$GOBIN/temporal"\n`;
    program(bin, 'go', go);
    expect(await find()).toBe(cached);
    expect(readFileSync(join(folder.path, 'arguments'), 'utf8')).toBe(
      `install github.com/temporalio/cli/cmd/temporal@v${TEMPORAL_VERSION}\n`,
    );
    expect(said.at(-1)).toContain('building Temporal');
  });

  test('that is not to be had gives one error with everything that was tried', async () => {
    using folder = temporaryFolder();
    const { bin, cached, find } = machine(folder.path);
    program(bin, 'go', '#!/bin/sh\necho "no module proxy" >&2\nexit 1\n');
    const releases = await serve(404, Buffer.from('gone'));
    const error = await find({}, releases.url).catch((reason: unknown) => String(reason));
    releases.close();
    for (const tried of [
      'TEMPORAL_ADDRESS',
      'TEMPORAL_CLI_PATH',
      'temporal on PATH: not there',
      `${cached}: not there`,
      `download: ${releases.url}`,
      'HTTP status 404',
      'go install',
      'no module proxy',
    ])
      expect(error).toContain(tried);
  });
});
