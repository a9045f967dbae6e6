import { randomUUID } from 'node:crypto';
import { Value } from 'typebox/value';
import { AppError } from '../../domain/errors.ts';
import { AgentLogAnswer, type AgentLogRequest } from '../../domain/myntrix/agent-reports.ts';
import { topics } from '../../domain/names.ts';
import type { Bus } from '../../drivers/bus/port.ts';

/** Beyond the time that a host may wait for something to be there. */
const ANSWER_WITHIN_MS = 2_500;
/** What one answer has at most; the bus carries four times as much. */
export const LOG_PIECE_BYTES = 256 * 1024;

export type AgentLogs = ReturnType<typeof createAgentLogs>;

/** Asks hosts, over the bus, for what their agents printed: it is kept there and nowhere else. */
export function createAgentLogs(bus: Bus) {
  const waiting = new Map<string, (answer: AgentLogAnswer) => void>();
  let listening: Promise<unknown> | undefined;

  const listen = (): Promise<unknown> => {
    listening ??= bus
      .subscribe(topics.anyHostAgentLogs, (message) => {
        if (Value.Check(AgentLogAnswer, message)) waiting.get(message.request)?.(message);
      })
      .catch((error: unknown) => {
        listening = undefined;
        throw error;
      });
    return listening;
  };

  /** @throws AppError `unavailable` when the host does not answer in time; `not_found` when it never ran there. */
  return async function read(
    { id, host }: { id: string; host: string },
    { offset, limit = LOG_PIECE_BYTES, waitMs = 0 }: { offset: number; limit?: number; waitMs?: number },
  ): Promise<Omit<AgentLogAnswer, 'request' | 'missing'>> {
    await listen();
    const asked: AgentLogRequest = { request: randomUUID(), id, offset, limit, waitMs };
    const { promise, resolve } = Promise.withResolvers<AgentLogAnswer | undefined>();
    waiting.set(asked.request, resolve);
    const timer = setTimeout(() => resolve(undefined), waitMs + ANSWER_WITHIN_MS);
    try {
      bus.publish(topics.hostAgentLogRequests(host), asked);
      const answer = await promise;
      if (!answer)
        throw new AppError('unavailable', `Host "${host}", which has the log, does not answer now.`, {
          retryAfterSeconds: 5,
        });
      const { request: _, missing, ...piece } = answer;
      return missing ? { offset: 0, nextOffset: 0, text: '', total: 0 } : piece;
    } finally {
      clearTimeout(timer);
      waiting.delete(asked.request);
    }
  };
}
