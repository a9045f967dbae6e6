import { setTimeout as delay } from 'node:timers/promises';
import { Type } from 'typebox';
import type { AgentRepository } from '../../db/myntrix/agents.ts';
import { AppError } from '../../domain/errors.ts';
import { Id } from '../../domain/wire.ts';
import { type Connection, type SocketRoute, socket } from '../http/socket.ts';
import type { AgentLogs } from './agent-logs.ts';

const Frames = Type.Union([
  Type.Object({
    type: Type.Literal('snapshot'),
    seq: Type.Integer({
      description: 'the byte offset behind the text, as in every frame: `?after=` takes it',
    }),
    offset: Type.Integer(),
    text: Type.String(),
  }),
  Type.Object({
    type: Type.Literal('log'),
    seq: Type.Integer(),
    offset: Type.Integer({ description: 'later than the `seq` before when that is not kept any more' }),
    text: Type.String(),
  }),
]);

const TAIL_BYTES = 16 * 1024;
/** One frame; a slow reader is closed with 1013 when 8 MiB wait. */
const PIECE_BYTES = 64 * 1024;
const HOST_WAITS_MS = 5_000;
const AGAIN_AFTER_MS = 1_000;

export interface AgentSocketDeps {
  agents: AgentRepository;
  readLog: AgentLogs;
}

export function createAgentSocket({ agents, readLog }: AgentSocketDeps): SocketRoute {
  async function follow(id: string, from: number, connection: Connection): Promise<void> {
    let isOpen = true;
    connection.onClosed(() => {
      isOpen = false;
    });
    for (let offset = from; isOpen; ) {
      try {
        const agent = await agents.get(id); // it may move, or be deleted
        const piece = await readLog(agent, { offset, limit: PIECE_BYTES, waitMs: HOST_WAITS_MS });
        if (piece.text !== '' && isOpen)
          connection.send({ type: 'log', seq: piece.nextOffset, offset: piece.offset, text: piece.text });
        offset = piece.nextOffset;
        if (piece.total === 0) await delay(AGAIN_AFTER_MS); // it never ran there: the host does not wait
      } catch (error) {
        if (error instanceof AppError && error.code === 'not_found')
          return connection.close(1000, 'the agent was deleted');
        await delay(AGAIN_AFTER_MS); // its host, the bus or the database is away
      }
    }
  }

  return socket({
    path: '/ws/myntrix/agents/{id}/logs',
    access: 'myntrix:agents:read',
    summary: 'Follow what an agent prints',
    description:
      'The last lines, then what it prints; with `?after=<offset>` what comes after that byte, and no snapshot. While its host is lost nothing comes; then it goes on where it was.',
    params: Type.Object({ id: Id }),
    query: Type.Object({
      after: Type.Optional(Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER })),
      tail: Type.Optional(
        Type.Integer({ minimum: 0, maximum: 256 * 1024, description: 'bytes; 16 KiB unless given' }),
      ),
    }),
    frames: Frames,
    async authorize({ params }) {
      await agents.get(params.id);
    },
    async open({ params, query }, connection) {
      const agent = await agents.get(params.id);
      const tail = query.tail ?? TAIL_BYTES;
      let offset = query.after ?? 0;
      if (query.after === undefined) {
        const { total } = await readLog(agent, { offset: Number.MAX_SAFE_INTEGER, limit: 0 });
        const piece = await readLog(agent, { offset: Math.max(0, total - tail), limit: tail });
        offset = piece.nextOffset;
        connection.send({ type: 'snapshot', seq: offset, offset: piece.offset, text: piece.text });
      }
      void follow(agent.id, offset, connection);
    },
  });
}
