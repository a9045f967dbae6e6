import { mkdir, mkdtemp, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { runOnce } from '../child/run-once.ts';
import { check, type Found, type TemporalSearch, which } from './check.ts';

const PACKAGE = 'github.com/temporalio/cli/cmd/temporal';
const SAY_EVERY_MS = 5_000;

/** Builds the CLI with the machine's own Go and puts it at `target`, whole or not at all. */
export async function buildTemporal(search: TemporalSearch, version: string, target: string): Promise<Found> {
  const go = which('go', search.env);
  if (!go) return { problem: 'there is no Go on PATH' };
  const started = Date.now();
  const say = () =>
    search.progress(
      `building Temporal ${version} with Go, once; about 3 minutes on 2 cores, ${((Date.now() - started) / 1000).toFixed(0)} s so far`,
    );
  say();
  const timer = setInterval(say, SAY_EVERY_MS);
  await mkdir(dirname(target), { recursive: true });
  const folder = await mkdtemp(`${target}-build-`);
  try {
    const env = { ...search.env, GOBIN: folder };
    const { code, output } = await runOnce(go, ['install', `${PACKAGE}@v${version}`], {
      env,
      signal: search.signal,
    });
    if (code !== 0)
      return { problem: `${go} install ${PACKAGE}@v${version}: ${output.trim().slice(-1_000)}` };
    const found = await check(join(folder, 'temporal'));
    if ('path' in found) await rename(found.path, target);
    return 'path' in found ? { path: target } : found;
  } finally {
    clearInterval(timer);
    await rm(folder, { recursive: true, force: true });
  }
}
