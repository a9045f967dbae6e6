import { Type } from 'typebox';
import { AppError } from '../../domain/errors.ts';
import { EventFrame, type EventTopic, eventTopics } from '../../domain/events.ts';
import { type SocketRoute, socket } from '../http/socket.ts';
import type { createEventStream } from '../live/events.ts';

const Snapshot = Type.Object({
  type: Type.Literal('snapshot'),
  seq: Type.Integer({ description: 'events after this one follow' }),
  topics: Type.Array(Type.Enum([...eventTopics])),
});

/** Who missed more than this gets a fresh snapshot instead. */
const REPLAY_LIMIT = 10_000;

export const createEventsSocket = ({
  stream,
}: {
  stream: ReturnType<typeof createEventStream>;
}): SocketRoute =>
  socket({
    path: '/ws/events',
    access: 'system:events:read',
    summary: 'Watch what happens on the platform',
    description:
      'A snapshot that says from where it goes on, then events, each with the `seq` of the event before it that you may see as `previous`. With `?after=<seq>` it goes on after that event without a snapshot, unless what follows is not kept any more. Who names the topic `system` gets the samples of hosts’ machines as well (`dev.vareon.system.metrics`, with the permission myntrix:metrics:read): they are not kept, so each has the `seq` of the event before it, and none is repeated.',
    query: Type.Object({
      topics: Type.Optional(
        Type.String({ description: `a comma separated list of ${eventTopics.join(', ')}; default: all` }),
      ),
      after: Type.Optional(Type.Integer({ minimum: 0 })),
    }),
    frames: Type.Union([Snapshot, EventFrame]),
    async authorize({ query }) {
      chosen(query.topics);
    },
    async open({ user, query }, connection) {
      const topics = chosen(query.topics);
      const metrics =
        query.topics !== undefined &&
        topics.includes('system') &&
        user.permissions.has('myntrix:metrics:read');
      const filter = { topics: new Set(topics), metrics, user };
      const [seq, pruned] = await stream.ends();
      const oldest = Math.max(pruned, seq - REPLAY_LIMIT);
      const resumes = query.after !== undefined && query.after <= seq && query.after >= oldest;
      if (resumes && query.after !== undefined) return stream.follow(query.after, filter, connection);
      connection.send({ type: 'snapshot', seq, topics });
      stream.follow(seq, filter, connection);
    },
  });

function chosen(list: string | undefined): EventTopic[] {
  if (list === undefined) return [...eventTopics];
  const names = list.split(',').map((name) => name.trim());
  const unknown = names.filter((name) => !isTopic(name));
  if (unknown.length > 0)
    throw new AppError(
      'invalid',
      `Unknown topics: ${unknown.join(', ')}; there are ${eventTopics.join(', ')}.`,
      {
        errors: [{ path: '/topics', message: `unknown: ${unknown.join(', ')}` }],
      },
    );
  return names.filter(isTopic);
}

const isTopic = (name: string): name is EventTopic => eventTopics.some((topic) => topic === name);
