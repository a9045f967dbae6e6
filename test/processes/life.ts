import { findContainments } from '../../drivers/processes/containment/detect.ts';
import { createProcesses } from '../../drivers/processes/processes.ts';
import { ensureRunAsUser } from '../../drivers/processes/run-as.ts';

/** A host to be killed: `node life.ts <data folder> <containment> <command>` runs the command and prints its pid. */
const [dataDir = '', name, command = ''] = process.argv.slice(2);
const PATH = process.env.PATH ?? '/usr/bin:/bin';
const user = process.getuid?.() === 0 ? await ensureRunAsUser('vareon-run') : undefined;
const containment = (await findContainments(PATH, user)).find((found) => found.name === name);
if (!containment) throw new Error(`no containment ${name}`);
const processes = await createProcesses({
  dataDir,
  hostName: 'test',
  containment,
  user,
  hostEnvironment: { PATH },
  warn: console.error,
});
await processes.run(
  {
    id: 'left-behind',
    argv: ['/bin/sh', '-c', command],
    env: {},
    platformEnv: {},
    timeoutMs: 60_000,
    killGraceMs: 2_000,
    outputLimitBytes: 1_000,
  },
  { signal: new AbortController().signal, onOutput: ({ text }) => process.stdout.write(text) },
);
