import { type Static, Type } from 'typebox';
import { literals, nullable, Time } from '../wire.ts';
import { Position } from './scene-fields.ts';

export const nodeKinds = ['agent', 'device', 'host'] as const;
export const linkKinds = ['host', 'agent', 'run', 'job'] as const;

/**
 * Colours of states: the eight of Okabe and Ito (2008), which people with any common colour blindness tell apart, and a
 * grey for what is off.
 */
export const stateColors: Readonly<Record<string, string>> = {
  running: '#009E73',
  connected: '#009E73',
  online: '#009E73',
  starting: '#56B4E9',
  connecting: '#56B4E9',
  stopping: '#0072B2',
  stopped: '#999999',
  disconnected: '#999999',
  offline: '#999999',
  error: '#D55E00',
  unknown: '#CC79A7',
  waiting: '#F0E442',
  paused: '#F0E442',
  pending: '#E69F00',
};

export const colorOf = (status: string): string => stateColors[status] ?? '#000000';

const Animation = Type.Object({
  type: Type.Unsafe<'none' | 'pulse' | 'spin' | 'work'>(
    Type.Enum(['none', 'pulse', 'spin', 'work'], {
      description: '`pulse`: on its way to another state; `spin`: runs; `work`: a job of the device runs',
    }),
  ),
  speed: Type.Number({ minimum: 0, maximum: 1, description: 'of an agent its share of one processor' }),
  load: Type.Optional(nullable(Type.Number({ description: 'of an agent: percent of one processor' }))),
  tool: Type.Optional(
    nullable(
      Type.Object(
        {
          x: nullable(Type.Number()),
          y: nullable(Type.Number()),
          z: nullable(Type.Number()),
          timestamp: Time,
        },
        { description: 'where the device says that its tool is, in its own unit' },
      ),
    ),
  ),
  progress: Type.Optional(nullable(Type.Number({ minimum: 0, maximum: 100, description: 'of its job' }))),
});

export const SceneNode = Type.Object(
  {
    id: Type.String(),
    kind: literals(nodeKinds),
    name: Type.String(),
    type: nullable(Type.String()),
    host: nullable(Type.String()),
    status: Type.String(),
    position: Position,
    color: Type.String({ pattern: '^#[0-9A-F]{6}$', examples: ['#0072B2'] }),
    animation: Animation,
    scale: Type.Number(),
    mocked: Type.Optional(Type.Literal(true)),
  },
  { $id: 'SceneNode' },
);
export type SceneNode = Static<typeof SceneNode>;

export const SceneLink = Type.Object(
  {
    id: Type.String(),
    kind: Type.Unsafe<(typeof linkKinds)[number]>(
      Type.Enum([...linkKinds], {
        description:
          '`host`: is on it; `agent`: works with the device; `run`: gave it a command within the last minute; `job`: has it for itself',
      }),
    ),
    source: Type.String(),
    target: Type.String(),
    status: Type.Optional(Type.String({ description: 'of a run or job' })),
    type: Type.Optional(Type.String({ description: 'of a job' })),
    progress: Type.Optional(nullable(Type.Number())),
  },
  { $id: 'SceneLink' },
);
export type SceneLink = Static<typeof SceneLink>;

export const Scene = Type.Object(
  {
    agents: Type.Array(SceneNode),
    devices: Type.Array(SceneNode),
    hosts: Type.Array(SceneNode),
    links: Type.Array(SceneLink),
    timestamp: Time,
  },
  { $id: 'Scene' },
);
export type Scene = Static<typeof Scene>;

export const SceneFrame = Type.Union([
  Type.Object({ type: Type.Literal('snapshot'), seq: Type.Integer(), ...Scene.properties }),
  Type.Object({
    type: Type.Literal('changes'),
    seq: Type.Integer(),
    nodes: Type.Array(SceneNode, { description: 'new ones, and those that are other than they were' }),
    links: Type.Array(SceneLink),
    removed: Type.Array(Type.String(), { description: 'ids of nodes and links that are no more' }),
    timestamp: Time,
  }),
]);
export type SceneFrame = Static<typeof SceneFrame>;
