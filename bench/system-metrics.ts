import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { createSystemAccess } from '../drivers/system/access.ts';
import { createSystemMetrics } from '../drivers/system/metrics.ts';
import { machine } from '../drivers/system/sources/machine.ts';

/**
 * What a host's samples cost at the usual pace: the share of a core, of this process and of the programs that it
 * started, over some minutes. One JSON line.
 */
const minutes = Number(process.argv[2] ?? 2);
const intervalSeconds = 5;
const log = { warn() {}, info() {} };
const metrics = createSystemMetrics({
  sources: machine,
  access: createSystemAccess({ mocked: new Set(), log }),
  intervalSeconds,
});
await metrics.sample();

const idle = await idleShare();
const startedAt = performance.now();
const own = process.cpuUsage();
const children = childrenMs();
let bytes = 0;
const rounds = Math.round((minutes * 60) / intervalSeconds);
for (let round = 0; round < rounds; round++) {
  await delay(intervalSeconds * 1_000);
  bytes = Buffer.byteLength(JSON.stringify(await metrics.sample()));
}
const { user, system } = process.cpuUsage(own);
const elapsedMs = performance.now() - startedAt;
const percentOfCore = (ms: number) => Math.round((ms / elapsedMs) * 10_000) / 100;
process.stdout.write(
  `${JSON.stringify({
    samples: rounds,
    own_percent_of_core: percentOfCore((user + system) / 1_000),
    children_percent_of_core: percentOfCore(childrenMs() - children),
    idle_percent_of_core: idle,
    bytes,
  })}\n`,
);

/** What this process takes without sampling, for comparison. */
async function idleShare(): Promise<number> {
  const before = process.cpuUsage();
  await delay(10_000);
  const { user, system } = process.cpuUsage(before);
  return Math.round(((user + system) / 1_000 / 10_000) * 10_000) / 100;
}

/** Children that were waited for: proc_pid_stat(5), cutime and cstime in ticks of 10 ms. */
function childrenMs(): number {
  const line = readFileSync('/proc/self/stat', 'latin1');
  const fields = line.slice(line.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[13]) + Number(fields[14])) * 10;
}
