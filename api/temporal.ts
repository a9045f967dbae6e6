import { Client, Connection } from '@temporalio/client';
import type { Logger } from '../logs.ts';

/** Temporal as the API uses it. */
export interface Temporal {
  client: Client;
  /** Whether it answered the latest look, which is at most a second old. */
  isUp(): boolean;
  /** @throws when it does not answer within 2 s. */
  check(): Promise<void>;
  close(): Promise<void>;
}

const LOOK_EVERY_MS = 1_000;
const ANSWER_WITHIN_MS = 2_000;

/** Connects lazily: the API starts and serves what it can while Temporal is away. */
export function connectTemporal(address: string, namespace: string, log: Logger): Temporal {
  const connection = Connection.lazy({ address, connectTimeout: '3s' });
  const client = new Client({ connection, namespace });
  let up = true;

  async function check(): Promise<void> {
    await connection.withDeadline(Date.now() + ANSWER_WITHIN_MS, () =>
      connection.workflowService.getSystemInfo({}),
    );
  }

  let looking = false;
  const timer = setInterval(async () => {
    if (looking) return;
    looking = true;
    const before = up;
    up = await check().then(
      () => true,
      () => false,
    );
    looking = false;
    if (before !== up) log.warn({ up }, up ? 'Temporal is back' : 'Temporal cannot be reached');
  }, LOOK_EVERY_MS);

  return {
    client,
    isUp: () => up,
    check,
    async close() {
      clearInterval(timer);
      await connection.close();
    },
  };
}
