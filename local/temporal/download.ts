import { createWriteStream } from 'node:fs';
import { chmod, mkdir, mkdtemp, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { runOnce } from '../child/run-once.ts';
import { check, type Found, type TemporalSearch } from './check.ts';

const OFFICIAL = 'https://temporal.download/cli/archive';
const ANSWER_WITHIN_MS = 5_000;
const SILENT_FOR_MS = 15_000;

const platforms: Record<string, string> = { linux: 'linux', darwin: 'darwin' };
const architectures: Record<string, string> = { x64: 'amd64', arm64: 'arm64' };

/** Fetches the official release and puts its binary at `target`, whole or not at all. */
export async function downloadTemporal(
  search: TemporalSearch,
  version: string,
  target: string,
): Promise<Found> {
  const platform = platforms[process.platform];
  const arch = architectures[process.arch];
  if (!platform || !arch) return { problem: `there is no release for ${process.platform} ${process.arch}` };
  const url = `${search.releases ?? OFFICIAL}/v${version}?platform=${platform}&arch=${arch}`;
  search.progress(`downloading Temporal ${version}`);
  await mkdir(dirname(target), { recursive: true });
  const folder = await mkdtemp(`${target}-download-`);
  try {
    const archive = join(folder, 'temporal.tar.gz');
    await fetchFile(url, archive, search);
    const { code, output } = await runOnce('tar', ['-xzf', archive, '-C', folder, 'temporal'], search);
    if (code !== 0) return { problem: `${url} is not the archive that was expected (${output.trim()})` };
    const binary = join(folder, 'temporal');
    await chmod(binary, 0o755);
    const found = await check(binary);
    if ('path' in found) await rename(binary, target);
    return 'path' in found ? { path: target } : found;
  } catch (error) {
    return { problem: `${url}: ${reason(error)}` };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function fetchFile(url: string, file: string, { signal, progress }: TemporalSearch): Promise<void> {
  const silent = new AbortController();
  let timer = setTimeout(() => silent.abort(new Error('no answer within 5 s')), ANSWER_WITHIN_MS);
  try {
    const response = await fetch(url, { signal: AbortSignal.any([signal, silent.signal]) });
    if (!response.ok || !response.body) throw new Error(`HTTP status ${response.status}`);
    const total = Number(response.headers.get('content-length')) || undefined;
    let received = 0;
    const meter = new Transform({
      transform(chunk: Buffer, _encoding, done) {
        clearTimeout(timer);
        timer = setTimeout(() => silent.abort(new Error('the download stalled')), SILENT_FOR_MS);
        received += chunk.length;
        progress(`downloading Temporal, ${megabytes(received)}${total ? ` of ${megabytes(total)}` : ''} MB`);
        done(null, chunk);
      },
    });
    const body = Readable.fromWeb(response.body as Parameters<typeof Readable.fromWeb>[0]); // one class, two typings
    await pipeline(body, meter, createWriteStream(file), {
      signal: AbortSignal.any([signal, silent.signal]),
    });
  } finally {
    clearTimeout(timer);
  }
}

const megabytes = (bytes: number) => (bytes / 1e6).toFixed(0);

/** fetch hides what happened in `cause`, an abort in its reason. */
function reason(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error ? error.cause.message || error.message : error.message;
}
