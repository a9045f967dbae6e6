import { Client, Connection } from '@temporalio/client';
import type { DataConverter } from '@temporalio/common';
import type { Logger } from '../../logs.ts';
import { every } from '../live/every.ts';

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
export function connectTemporal(options: {
  address: string;
  namespace: string;
  dataConverter: DataConverter;
  log: Logger;
}): Temporal {
  const { address, namespace, dataConverter, log } = options;
  const connection = Connection.lazy({ address, connectTimeout: '3s' });
  const client = new Client({ connection, namespace, dataConverter });
  let up = true;

  async function check(): Promise<void> {
    await connection.withDeadline(Date.now() + ANSWER_WITHIN_MS, () =>
      connection.workflowService.getSystemInfo({}),
    );
  }

  async function look(): Promise<void> {
    await check();
    if (!up) log.warn('Temporal is back');
    up = true;
  }
  const looking = every(LOOK_EVERY_MS, look, (error) => {
    if (up) log.warn({ err: error }, 'Temporal cannot be reached');
    up = false;
  });

  return {
    client,
    isUp: () => up,
    check,
    async close() {
      looking.stop();
      await connection.close();
    },
  };
}
