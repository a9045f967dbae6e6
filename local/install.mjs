// Runs before `npm start` and `npm test`, on whatever Node the machine has: plain JavaScript, no packages.
import { spawnSync } from 'node:child_process';
import { statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const changedAt = (file) => statSync(join(root, file), { throwIfNoEntry: false })?.mtimeMs ?? 0;

// npm writes the inner lock file last: when it is there and not older, the installation is whole.
if (changedAt('node_modules/.package-lock.json') < changedAt('package-lock.json')) install();

function install() {
  const started = Date.now();
  console.log('Installing packages (npm ci); once; it takes up to a minute.');
  // NODE_ENV=production would leave out what type checks and tests need.
  const args = ['ci', '--include=dev', '--no-audit', '--no-fund', '--loglevel=error'];
  const npm = process.env.npm_execpath;
  const [file, before] = npm?.endsWith('js') ? [process.execPath, [npm]] : [npm ?? 'npm', []];
  const { status, error, signal } = spawnSync(file, [...before, ...args], { cwd: root, stdio: 'inherit' });
  if (status !== 0) {
    const why = error?.message ?? (signal ? `it was ended by ${signal}` : `it ended with code ${status}`);
    console.error(`The packages are not installed: npm ci failed (${why}). Its own message is above.`);
    process.exit(1);
  }
  console.log(`Packages installed in ${((Date.now() - started) / 1000).toFixed(0)} s.`);
}
