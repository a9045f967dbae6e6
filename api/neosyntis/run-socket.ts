import { Type } from 'typebox';
import type { RunRepository } from '../../db/neosyntis/runs.ts';
import type { Database } from '../../db/orm.ts';
import { rows } from '../../db/sql.ts';
import { RunSummary, StepSummary } from '../../domain/neosyntis/runs.ts';
import { Id, Time } from '../../domain/wire.ts';
import { type SocketRoute, socket } from '../http/socket.ts';
import type { createRunStreams } from '../live/runs.ts';

const Frames = Type.Union([
  Type.Object({
    type: Type.Literal('snapshot'),
    seq: Type.Integer(),
    run: RunSummary,
    steps: Type.Array(StepSummary),
  }),
  Type.Object({ type: Type.Literal('step'), seq: Type.Integer(), step: StepSummary }),
  Type.Object({ type: Type.Literal('run'), seq: Type.Integer(), run: Type.Partial(RunSummary) }),
  Type.Object({
    type: Type.Literal('log'),
    seq: Type.Integer(),
    path: Type.String(),
    iteration: Type.Array(Type.Integer()),
    attempt: Type.Integer({ description: 'of the step; each begins at offset 0' }),
    stream: Type.Enum(['stdout', 'stderr']),
    offset: Type.Integer({ description: 'bytes of the step’s stream before this text' }),
    text: Type.String(),
    at: Time,
  }),
]);

/** Who missed more than this gets a fresh snapshot instead. */
const REPLAY_LIMIT = 5_000;

export interface RunSocketDeps {
  database: Database;
  runs: RunRepository;
  streams: ReturnType<typeof createRunStreams>;
}

export const createRunSocket = ({ database, runs, streams }: RunSocketDeps): SocketRoute =>
  socket({
    path: '/ws/neosyntis/runs/{run_id}',
    access: 'neosyntis:workflows:read',
    summary: 'Watch a run',
    description:
      'A snapshot, then step changes, run changes and log text, numbered without gaps by `seq`. With `?after=<seq>` it goes on after that frame without a snapshot; `after=0` plays the run from its beginning. When what follows is not kept any more, a snapshot comes first.',
    params: Type.Object({ run_id: Id }),
    query: Type.Object({ after: Type.Optional(Type.Integer({ minimum: 0 })) }),
    frames: Frames,
    async authorize({ user, params }) {
      await runs.summary(user, params.run_id);
    },
    async open({ user, params, query }, connection) {
      const runId = params.run_id;
      const { seq, pruned } = await endsOf(database, runId);
      const oldest = Math.max(pruned, seq - REPLAY_LIMIT);
      const resumes = query.after !== undefined && query.after <= seq && query.after >= oldest;
      if (resumes && query.after !== undefined) return streams.follow(runId, query.after, connection);
      // Number and state are of one moment: the frames that follow begin after both.
      const snapshot = await database.em.fork().transactional(
        async (tx) => ({
          type: 'snapshot',
          seq: (await endsOf({ em: tx }, runId)).seq,
          run: await runs.summary(user, runId, tx),
          steps: await runs.steps(runId, tx),
        }),
        { isolationLevel: 'repeatable read' },
      );
      connection.send(snapshot);
      streams.follow(runId, snapshot.seq, connection);
    },
  });

/** The number of a run's newest frame, and up to which number frames are not kept any more. */
async function endsOf({ em }: Pick<Database, 'em'>, runId: string) {
  const [job] = await rows<{ seq: string; pruned: string }>(
    em,
    'select seq, pruned_seq as pruned from jobs where id = ?',
    [runId],
  );
  return { seq: Number(job?.seq ?? 0), pruned: Number(job?.pruned ?? 0) };
}
