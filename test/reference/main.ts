import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { startStack } from '../../local/stack.ts';
import { announceStack, testEnvironment } from '../support/stack.ts';
import { enterWorld } from '../support/world.ts';
import { compareMany } from './campaign.ts';

/** Entry point of `npm run reference`: random documents on a platform of its own and by the reference; one JSON line
 * in the end. */
const { values } = parseArgs({
  options: {
    documents: { type: 'string', default: '2000' },
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
    'at-once': { type: 'string', default: '16' },
  },
});
const ADMIN_PASSWORD = 'seven quiet herons';
const dataDir = mkdtempSync(join(tmpdir(), 'vareon-reference-'));
const say = (line: string) => process.stderr.write(`${line}\n`);

const stack = await startStack({ env: await testEnvironment(dataDir, ADMIN_PASSWORD) });
/** With differences the folder stays: the log says more. */
const stop = async () => {
  await stack.close();
  if (process.exitCode === 0) rmSync(dataDir, { recursive: true, force: true });
};
process.once('SIGINT', () => void stop().then(() => process.exit(130)));

try {
  const temporalUiUrl = stack.temporalUiUrl ?? '';
  announceStack({ ...stack, temporalUiUrl, dataDir, adminPassword: ADMIN_PASSWORD });
  say(`seed ${values.seed}; the platform's log is ${join(dataDir, 'logs', 'api.log')}`);
  const world = await enterWorld();
  const startedAt = performance.now();
  const { differences, ...figures } = await compareMany(world, {
    documents: Number(values.documents),
    seed: Number(values.seed),
    atOnce: Number(values['at-once']),
    onDifference: (report) => say(`\n${report}`),
  });
  await world.close();
  const seconds = Math.round((performance.now() - startedAt) / 1000);
  const seeds = differences.map(({ seed }) => seed);
  console.log(JSON.stringify({ seed: Number(values.seed), ...figures, seconds, differences: seeds }));
  process.exitCode = differences.length === 0 ? 0 : 1;
} finally {
  await stop();
}
