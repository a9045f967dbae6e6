import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { runOnce } from './child/run-once.ts';
import { StartError } from './events.ts';
import { entryPoints } from './node-parts.ts';

/** Everything that can end in the workflows' bundle, relative to the repository. */
const sources = [
  'workflows',
  'domain',
  'drivers/expressions',
  'drivers/payloads/failure-converter.ts',
  'workers/bundle.ts',
  'package-lock.json',
];
const KEEP = 6;

export interface BundleOptions {
  root: string;
  /** Of the workflows, relative to it, unless it is the product's own. */
  entryPoint?: string;
  /** Where bundles are kept between starts. */
  cacheDir: string;
  env: Record<string, string | undefined>;
  /** With the payload codec on, what failures say is sealed too; both are built at once. */
  sealsFailures: boolean;
  signal: AbortSignal;
  onBuild(): void;
}

/** The path of the workflows' bundle for the sources as they are, built when there is none yet. */
export async function prepareBundle({
  root,
  entryPoint = entryPoints.workflows,
  cacheDir,
  env,
  sealsFailures,
  signal,
  onBuild,
}: BundleOptions): Promise<string> {
  const hash = hashOf(root, entryPoint);
  const named = (name: string) => join(cacheDir, `workflows-${name}.js`);
  const [sealed, plain] = [named(`${hash}sealed`), named(hash)];
  const file = sealsFailures ? sealed : plain;
  if (existsSync(file)) return file;
  onBuild();
  // A process of its own: the bundler's memory goes with it.
  const script = join(root, 'local', 'build-bundle.ts');
  const { code, output } = await runOnce(process.execPath, [script, sealed, plain, join(root, entryPoint)], {
    env,
    signal,
  });
  signal.throwIfAborted();
  if (code !== 0) throw new StartError('The workflows cannot be bundled', output.trim());
  removeOld(cacheDir);
  return file;
}

function hashOf(root: string, entryPoint: string): string {
  const hash = createHash('sha256').update(process.version);
  for (const source of [...sources, dirname(entryPoint)])
    for (const file of filesOf(join(root, source)))
      hash.update(relative(root, file)).update('\0').update(readFileSync(file)).update('\0');
  return hash.digest('hex').slice(0, 16);
}

function filesOf(path: string): string[] {
  const found = statSync(path, { throwIfNoEntry: false });
  if (!found) return [];
  if (found.isFile()) return [path];
  return readdirSync(path)
    .sort()
    .flatMap((name) => filesOf(join(path, name)));
}

/** A few old ones stay: a stack that runs may start its worker again with the one it has. */
function removeOld(cacheDir: string): void {
  const age = (name: string) => statSync(join(cacheDir, name)).mtimeMs;
  const bundles = readdirSync(cacheDir).filter((name) => /^workflows-\w+\.js$/.test(name));
  const oldest = bundles.sort((a, b) => age(b) - age(a)).slice(KEEP);
  for (const name of oldest) rmSync(join(cacheDir, name), { force: true });
}
