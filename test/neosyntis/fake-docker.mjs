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
appendFileSync(
  join(folder, 'calls'),
  `${JSON.stringify({ args, environment: Object.keys(process.env), uid: process.getuid() })}\n`,
);
const file = (id) => join(folder, `${id}.container`);
const read = (id) => JSON.parse(readFileSync(file(id), 'utf8'));
/** Whole or not at all: others list it meanwhile. */
function write(id, container) {
  writeFileSync(`${file(id)}.part`, JSON.stringify(container));
  renameSync(`${file(id)}.part`, file(id));
}

if (command === 'version') console.log('28.2.2');
if (command === 'ps') {
  const wanted = args.filter((arg) => arg.startsWith('--filter=')).map((arg) => arg.slice(9));
  for (const name of readdirSync(folder).filter((name) => name.endsWith('.container'))) {
    const id = name.slice(0, -10);
    if (!existsSync(file(id))) continue; // removed meanwhile
    const { labels, status } = read(id);
    if (wanted.every((one) => one === `status=${status}` || labels.some((label) => one === `label=${label}`)))
      console.log(id);
  }
}
if (command === 'rm')
  for (const id of args.slice(1).filter((arg) => !arg.startsWith('--'))) {
    try {
      process.kill(-read(id).pid, 'SIGKILL');
    } catch {} // it has ended
    rmSync(file(id));
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
  write(id, { pid: child.pid, labels: all('label'), status: 'running', env });
  process.on('SIGTERM', () => {}); // its first process ignores it
  child.on('exit', (code) => {
    if (existsSync(file(id))) write(id, { ...read(id), status: 'exited' });
    process.exit(code ?? 137);
  });
}
