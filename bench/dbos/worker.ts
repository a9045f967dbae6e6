import { DBOS } from '@dbos-inc/dbos-sdk';
import { percentile } from '../percentile.ts';

/** DBOS Transact in a process of its own: the same three steps that do nothing, in one durable function. */
const [systemDatabaseUrl = ''] = process.argv.slice(2);
DBOS.setConfig({ name: 'vareon-bench', systemDatabaseUrl, systemDatabasePoolSize: 20, logLevel: 'error' });
const nothing = async (input: unknown) => input;
const threeSteps = DBOS.registerWorkflow(
  async (input: unknown) => {
    let value = input;
    for (const name of ['one', 'two', 'three']) value = await DBOS.runStep(() => nothing(value), { name });
    return value;
  },
  { name: 'threeSteps' },
);
await DBOS.launch();

export interface Order {
  count: number;
  inFlight: number;
}
export interface Measured {
  p50: number;
  p99: number;
  perSecond: number;
}

process.on('message', (order: Order) => void measure(order).then((measured) => process.send?.(measured)));
process.once('disconnect', () => process.exit()); // nobody is left to ask
process.send?.('ready');

async function measure({ count, inFlight }: Order): Promise<Measured> {
  let left = count;
  const times: number[] = [];
  const startedAt = performance.now();
  const worker = async () => {
    while (left-- > 0) {
      const begun = performance.now();
      await threeSteps({ n: 1 });
      times.push(performance.now() - begun);
    }
  };
  await Promise.all(Array.from({ length: inFlight }, worker));
  const perSecond = (count * 1000) / (performance.now() - startedAt);
  return { p50: percentile(times, 0.5), p99: percentile(times, 0.99), perSecond };
}
