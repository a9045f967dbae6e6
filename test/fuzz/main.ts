import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { startStack } from '../../local/stack.ts';
import { announceStack, testEnvironment } from '../support/stack.ts';
import { enterWorld } from '../support/world.ts';
import { runCampaign } from './campaign.ts';
import { type Flood, floodBroker, floodHttp } from './flood.ts';

/** Entry point of `npm run fuzz`: a platform of its own under hostile requests and connections; one JSON line in
 * the end. */
const { values } = parseArgs({
  options: {
    requests: { type: 'string', default: '20000' },
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
    minutes: { type: 'string', default: '60' },
    only: { type: 'string', default: '' },
    connections: { type: 'string', default: '10000' },
  },
});
const ADMIN_PASSWORD = 'seven quiet herons';
const dataDir = mkdtempSync(join(tmpdir(), 'vareon-fuzz-'));
const say = (line: string) => process.stderr.write(`${line}\n`);

const stack = await startStack({ env: await testEnvironment(dataDir, ADMIN_PASSWORD) });
/** With failures the folder stays: the log says more. */
const stop = async () => {
  await stack.close();
  if (process.exitCode === 0) rmSync(dataDir, { recursive: true, force: true });
};
process.once('SIGINT', () => void stop().then(() => process.exit(130)));

async function floodAll(connections: number): Promise<Record<string, Flood>> {
  if (!(connections > 0)) return {};
  const oneAddress = await floodHttp(stack, connections, 1);
  // Linux has a whole network on loopback.
  const manyAddresses =
    process.platform === 'linux' ? { manyAddresses: await floodHttp(stack, connections, 40) } : {};
  return { oneAddress, ...manyAddresses, broker: await floodBroker(stack, Math.ceil(connections / 2)) };
}

try {
  announceStack({
    ...stack,
    temporalUiUrl: stack.temporalUiUrl ?? '',
    dataDir,
    adminPassword: ADMIN_PASSWORD,
  });
  say(`a platform of its own listens on ${stack.apiUrl}; its log is ${join(dataDir, 'logs', 'api.log')}`);
  const world = await enterWorld();
  const report = await runCampaign(world, {
    requests: Number(values.requests),
    seed: Number(values.seed),
    minutes: Number(values.minutes),
    only: values.only,
    onFailure: ({ operation, wrong, reproduction, seed }) =>
      say(`\n${operation} (seed ${seed})\n  ${wrong.join('\n  ')}\n  ${reproduction}`),
  });
  await world.close();
  const connections = Number(values.connections);
  const floods = await floodAll(connections);
  const { failures, ...figures } = report;
  const unanswered = Object.values(floods).reduce((sum, { answers }) => sum + answers.failed, 0);
  console.log(JSON.stringify({ ...figures, failures: failures.length, floods }));
  process.exitCode = failures.length + unanswered === 0 ? 0 : 1;
} finally {
  await stop();
}
