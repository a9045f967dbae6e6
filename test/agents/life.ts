import type { AgentOrder } from '../../domain/myntrix/agent-reports.ts';
import { openAgents } from './rig.ts';

/** A host to be killed: `node life.ts <data folder> <orders as JSON>` starts agents and says so. */
const [dataDir = '', orders = '[]'] = process.argv.slice(2);
const agents = await openAgents(dataDir);
await agents.adopt();
const waiting = new Set<string>();
agents.onChange(({ id, status }) => {
  if (status === 'running' && waiting.delete(id) && waiting.size === 0) process.stdout.write('running\n');
});
for (const order of JSON.parse(orders) as AgentOrder[]) {
  // the test's own
  waiting.add(order.id);
  void agents.supervise(order, new AbortController().signal);
}
setInterval(() => {}, 60_000);
