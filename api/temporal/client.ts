import { Client, Connection } from '@temporalio/client';
import type { DataConverter } from '@temporalio/common';
import { AppError } from '../../domain/errors.ts';
import type { Logger } from '../../logs.ts';
import { every } from '../live/every.ts';
import { inTime } from '../live/in-time.ts';

/** Temporal as the API uses it. */
export interface Temporal {
  client: Client;
  /**
   * Resolves when it answers now: before anything is written or asked that needs it.
   * @throws AppError `unavailable`, at once while it is known to be away, and within 1.2 s otherwise.
   */
  ensureUp(): Promise<void>;
  /**
   * One short call. It is given up after 1.6 s, so that whoever asked has an answer within 3 s; the client's own
   * retries would go on for 20 s.
   * @throws what the call does; gRPC's DEADLINE_EXCEEDED when there was no answer in time.
   */
  call<T>(work: (client: Client) => Promise<T>): Promise<T>;
  /** @throws when it does not answer within 2 s. */
  check(): Promise<void>;
  /**
   * For the end of the process, and the connection ends with that: what is still asked over a connection that is closed
   * is asked again by the SDK, which would end the process with an error.
   */
  stop(): void;
}

const LOOK_EVERY_MS = 1_000;
const ANSWER_WITHIN_MS = 2_000;
/** A server that needs longer for the smallest question there is takes no start in time either. */
const UP_WITHIN_MS = 1_200;
const CALL_WITHIN_MS = 1_600;
const HELD_UP_MS = 1_000;
/** Of many requests at once, one asks for all; what Temporal answered last counts for this long. */
const FRESH_MS = 50;

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
  let asking: Promise<void> | undefined;
  let freshUntil = 0;

  async function check(withinMs = ANSWER_WITHIN_MS): Promise<void> {
    const ask = () => connection.workflowService.getSystemInfo({});
    const late = () => new Error(`no answer within ${withinMs} ms`);
    // Longer than anybody waits: gRPC counts time that this process was held up.
    await inTime(withinMs, connection.withDeadline(Date.now() + withinMs + HELD_UP_MS, ask), late);
    if (!up) log.info('Temporal is back');
    up = true;
  }

  function away(error: unknown) {
    freshUntil = 0;
    if (up) log.warn({ err: error }, 'Temporal cannot be reached');
    up = false;
  }

  function answered() {
    freshUntil = performance.now() + FRESH_MS;
  }

  const looking = every(LOOK_EVERY_MS, check, away);

  async function ask(): Promise<void> {
    try {
      await check(UP_WITHIN_MS);
      answered();
    } catch (error) {
      away(error);
      throw unavailable(error);
    } finally {
      asking = undefined;
    }
  }

  return {
    client,
    async ensureUp() {
      if (!up) throw unavailable();
      if (performance.now() < freshUntil) return;
      asking ??= ask();
      await asking;
    },
    async call(work) {
      const result = await client.withDeadline(Date.now() + CALL_WITHIN_MS, () => work(client));
      answered();
      return result;
    },
    check: () => check(),
    stop: () => looking.stop(),
  };
}

const unavailable = (cause?: unknown): AppError =>
  new AppError(
    'unavailable',
    'Temporal cannot be reached; nothing was changed. Try again.',
    { retryAfterSeconds: 5 },
    { cause },
  );
