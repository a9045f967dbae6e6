// A docker of one machine for tests, on the PATH of a host: what it is told, it writes down beside itself. A container
// is a process that is not its client's, as with docker's daemon: only `rm --force` ends it.
import { spawn } from 'node:child_process';
import {
  appendFileSync,
  existsSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const folder = dirname(fileURLToPath(import.meta.url));
const args = process.argv.slice(2);
const [command] = args;
process.on('SIGTERM', () => {}); // a container's first process ignores it
appendFileSync(
  join(folder, 'calls'),
  `${JSON.stringify({ args, environment: Object.keys(process.env), uid: process.getuid() })}\n`,
);
// Others read and remove these at the same moment: each is there whole, and is never changed. That a container has
// ended stands beside it.
const file = (id) => join(folder, `${id}.container`);
const endOf = (id) => join(folder, `${id}.exited`);
const read = (id) => {
  try {
    return JSON.parse(readFileSync(file(id), 'utf8'));
  } catch (error) {
    if (error.code !== 'ENOENT') throw error;
    return undefined; // removed meanwhile
  }
};

if (command === 'version') console.log('28.2.2');
if (command === 'ps') {
  const wanted = args.filter((arg) => arg.startsWith('--filter=')).map((arg) => arg.slice(9));
  for (const name of readdirSync(folder).filter((name) => name.endsWith('.container'))) {
    const id = name.slice(0, -10);
    const found = read(id);
    if (!found) continue;
    const marks = [
      `status=${existsSync(endOf(id)) ? 'exited' : 'running'}`,
      ...found.labels.map((label) => `label=${label}`),
    ];
    if (wanted.every((one) => marks.includes(one))) console.log(id);
  }
}
if (command === 'rm')
  for (const id of args.slice(1).filter((arg) => !arg.startsWith('--'))) {
    try {
      process.kill(-read(id).pid, 'SIGKILL');
    } catch {} // it has ended
    rmSync(file(id), { force: true });
  }
if (command === 'run') {
  const at = args.findIndex((arg, index) => index > 0 && !arg.startsWith('--'));
  const [image, ...rest] = args.slice(at);
  const options = args.slice(1, at);
  const all = (name) =>
    options
      .filter((option) => option.startsWith(`--${name}=`))
      .map((option) => option.slice(name.length + 3));
  if (image === 'missing') {
    console.error('docker: Error response from daemon: No such image: missing:latest');
    process.exit(125);
  }
  const id = `c${process.pid}`;
  const [entrypoint = '/bin/echo'] = all('entrypoint');
  const lines = readFileSync(all('env-file')[0], 'utf8').split('\n').filter(Boolean);
  const env = Object.fromEntries(
    lines.map((line) => [line.split('=', 1)[0], line.slice(line.indexOf('=') + 1)]),
  );
  const given = options.includes('--interactive') ? 'inherit' : 'ignore';
  const child = spawn(entrypoint, rest, {
    env: { PATH: '/usr/bin:/bin', ...env, VAREON_STEP: '' },
    stdio: [given, 'inherit', 'inherit'],
    detached: true,
  });
  const container = JSON.stringify({ pid: child.pid, labels: all('label'), env });
  rmSync(endOf(id), { force: true }); // of another process that had this number
  writeFileSync(`${file(id)}.new`, container);
  renameSync(`${file(id)}.new`, file(id));
  appendFileSync(join(folder, 'begun'), `${container}\n`);
  child.on('exit', (code) => {
    writeFileSync(endOf(id), '');
    process.exit(code ?? 137);
  });
}
