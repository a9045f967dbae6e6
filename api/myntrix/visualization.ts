import { Type } from 'typebox';
import type { SceneRepository } from '../../db/myntrix/visualization.ts';
import { AppError } from '../../domain/errors.ts';
import { sceneOf } from '../../domain/myntrix/scene.ts';
import { Scene, SceneFrame } from '../../domain/myntrix/visualization.ts';
import { Time } from '../../domain/wire.ts';
import { ok, type Route, route } from '../http/route.ts';
import { type SocketRoute, socket } from '../http/socket.ts';
import type { SceneStream } from '../live/scenes.ts';

const DAY_MS = 86_400_000;

export interface VisualizationDeps {
  scenes: SceneRepository;
  stream: SceneStream;
  /** How long changes of state are kept; 0 is for ever. */
  keepDays: number;
}

export const createVisualizationRoutes = ({
  scenes,
  keepDays,
}: Pick<VisualizationDeps, 'scenes' | 'keepDays'>): Route[] => [
  route({
    method: 'GET',
    path: '/api/myntrix/visualization-data',
    access: 'myntrix:devices:read',
    summary: 'What the 3D view shows',
    description:
      'Agents, devices and hosts, each with its place (`configuration.position`, or else one of its own that never changes), colour, and what moves of it; and which host, agent, run or job has to do with which. `at` shows how it was then: states, places, jobs and tools; loads and progress are not kept.',
    query: Type.Object({ at: Type.Optional(Time) }, { additionalProperties: false }),
    answers: { 200: { description: 'as of `timestamp`', schema: Scene } },
    async handler({ query }) {
      return ok(
        sceneOf(await (query.at === undefined ? scenes.now() : scenes.past(past(query.at, keepDays)))),
      );
    },
  }),
];

export const createVisualizationSocket = ({ stream }: Pick<VisualizationDeps, 'stream'>): SocketRoute =>
  socket({
    path: '/ws/myntrix/visualization',
    access: 'myntrix:devices:read',
    summary: 'Watch what the 3D view shows',
    description:
      'All of it as a snapshot, then what has changed, numbered without gaps; with `?after=<seq>` what has changed since, or a fresh snapshot when that is too long ago. Who is slow gets a fresh snapshot as well.',
    query: Type.Object({
      after: Type.Optional(Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER })),
    }),
    frames: SceneFrame,
    open: ({ query }, connection) => stream.follow(query.after, connection),
  });

function past(text: string, keepDays: number): Date {
  const at = new Date(text);
  const problem = (message: string) =>
    new AppError('invalid', `\`at\` is "${text}": ${message}.`, { errors: [{ path: '/at', message }] });
  if (Number.isNaN(at.getTime())) throw problem('is no time');
  if (at.getTime() > Date.now()) throw problem('is yet to come');
  if (keepDays > 0 && at.getTime() < Date.now() - keepDays * DAY_MS)
    throw problem(
      `is more than ${keepDays} days ago, and states are not kept for longer (VAREON_KEEP_STATES_DAYS)`,
    );
  return at;
}
