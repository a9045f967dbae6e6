import type { Writable } from 'node:stream';
import type { Transport } from '@modelcontextprotocol/sdk/shared/transport.js';
import type { McpStep } from '../../../domain/neosyntis/code.ts';
import type { Json } from '../../../domain/wire.ts';
import type { OutputPiece, ProcessResult, RunOptions } from '../../../drivers/processes/port.ts';

export type Answer = { result: Json } | { error: string };

export interface Conversation {
  ended: ProcessResult;
  /** Nothing when the server ended, or was ended, before there was one. */
  answer: Answer | undefined;
}

/** A server whose input has ended goes by itself, or is ended. */
const FAREWELL_MS = 2_000;

/**
 * One session with one request in it, with a server that is a process. When it resolves the process has ended.
 * @param run runs the server; the options are what it needs besides.
 */
export async function converse(
  step: McpStep,
  { signal, onOutput }: Pick<RunOptions, 'signal' | 'onOutput'>,
  run: (options: Pick<RunOptions, 'signal' | 'onOutput' | 'onTalk'>) => Promise<ProcessResult>,
): Promise<Conversation> {
  const { ReadBuffer, serializeMessage } = await import('@modelcontextprotocol/sdk/shared/stdio.js');
  const input = Promise.withResolvers<Writable | undefined>();
  const farewell = new AbortController();
  const received = new ReadBuffer();
  const transport: Transport = {
    start: async () => {},
    async send(message) {
      const isFirst = 'method' in message && message.method === 'initialize';
      const { protocolVersion } = step;
      const sent = isFirst ? { ...message, params: { ...message.params, protocolVersion } } : message;
      (await input.promise)?.write(serializeMessage(sent));
    },
    close: async () => transport.onclose?.(),
  };
  const hear = (text: string): void => {
    received.append(Buffer.from(text));
    for (;;)
      try {
        const message = received.readMessage();
        if (message === null) return;
        transport.onmessage?.(message);
      } catch {
        // A line that is no message is none: servers print greetings.
      }
  };
  const running = run({
    signal: AbortSignal.any([signal, farewell.signal]),
    onTalk: input.resolve,
    onOutput(piece: OutputPiece) {
      onOutput(piece);
      if (piece.stream === 'stdout') hear(piece.text);
    },
  }).finally(() => {
    input.resolve(undefined);
    transport.onclose?.();
  });
  running.catch(() => {}); // awaited below
  const answer = (await input.promise) ? await ask(step, transport, signal) : undefined;
  (await input.promise)?.end();
  const timer = setTimeout(() => farewell.abort(), FAREWELL_MS);
  try {
    return { ended: await running, answer };
  } finally {
    clearTimeout(timer);
  }
}

async function ask(step: McpStep, transport: Transport, signal: AbortSignal): Promise<Answer | undefined> {
  // Their weight is for those who use them.
  const [{ Client }, types] = await Promise.all([
    import('@modelcontextprotocol/sdk/client/index.js'),
    import('@modelcontextprotocol/sdk/types.js'),
  ]);
  const client = new Client(step.client);
  // The process has a limit of its own, which ends it.
  const options = { timeout: Math.min(step.timeoutMs, 2 ** 31 - 1), signal };
  try {
    await client.connect(transport, options);
    const request = {
      method: step.method,
      ...(step.parameters ? { params: step.parameters as Record<string, unknown> } : {}), // the verb's schema
    };
    return { result: (await client.request(request, types.ResultSchema, options)) as Json }; // it came as JSON
  } catch (error) {
    const codes = [types.ErrorCode.ConnectionClosed, types.ErrorCode.RequestTimeout] as number[];
    if (signal.aborted) return undefined;
    if (!(error instanceof types.McpError)) return { error: 'the answer is none of the protocol' };
    if (codes.includes(error.code)) return undefined;
    const words = error.message.replace(/^(MCP error -?\d+: )+/, '');
    const data = error.data === undefined ? '' : ` (${JSON.stringify(error.data)})`;
    return { error: `JSON-RPC error ${error.code}: ${words}${data}`.slice(0, 2_000) };
  }
}
