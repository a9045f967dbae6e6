import { Value } from 'typebox/value';
import type { LiveReading } from './host-telemetry.ts';
import { Position, Visual, WorksWith } from './scene-fields.ts';
import type { StateAt, StateKind } from './states.ts';
import { colorOf, type Scene, type SceneLink, type SceneNode } from './visualization.ts';

/** What is known of an agent, device or host at a time. */
export interface SceneSubject {
  kind: StateKind;
  subject: string;
  /** Its own number for ever: where it stands when nobody has said. */
  place: number;
  state: StateAt;
  /** Of an agent, in percent of one processor; null for the past. */
  load?: number | null;
}

/** A run or job that uses a device. */
export interface DeviceUse {
  id: string;
  deviceId: string;
  kind: 'run' | 'job';
  type: string;
  status: string;
  progress: number | null;
}

export interface SceneFacts {
  subjects: readonly SceneSubject[];
  uses: readonly DeviceUse[];
  /** What devices said last of where their tools are. */
  readings: ReadonlyMap<string, readonly LiveReading[]>;
  at: Date;
}

/** Names under which devices tell the place of their tools, the likeliest first. */
export const toolMetrics = {
  x: ['MPos.x', 'WPos.x', 'X', 'x'],
  y: ['MPos.y', 'WPos.y', 'Y', 'y'],
  z: ['MPos.z', 'WPos.z', 'Z', 'z'],
} as const;

const SPACING = 3;
const GOLDEN_ANGLE = Math.PI * (3 - Math.sqrt(5));
/** Agents stand above devices, and hosts below. */
const height: Record<StateKind, number> = { agent: 4, device: 0, host: -4 };

/** Places of a sunflower's seeds: no two are close, and one more moves none. */
export function placeOf(kind: StateKind, place: number): Position {
  const radius = SPACING * Math.sqrt(place);
  const angle = place * GOLDEN_ANGLE;
  const round = (value: number) => Math.round(value * 1_000) / 1_000;
  return { x: round(radius * Math.cos(angle)), y: height[kind], z: round(radius * Math.sin(angle)) };
}

/** Statuses that hold only while the host is there to say so. */
const live: Record<StateKind, readonly string[]> = {
  agent: ['running', 'starting', 'stopping'],
  device: ['connecting', 'connected'],
  host: [],
};

const nodeId = ({ kind, subject }: Pick<SceneSubject, 'kind' | 'subject'>): string =>
  kind === 'host' ? `host:${subject}` : subject;

/** What a 3D view shows, of the present or of the past. */
export function sceneOf({ subjects, uses, readings, at }: SceneFacts): Scene {
  const online = new Set(
    subjects
      .filter(({ kind, state }) => kind === 'host' && state.status === 'online')
      .map(({ subject }) => subject),
  );
  const jobs = new Map(uses.filter(({ kind }) => kind === 'job').map((use) => [use.deviceId, use]));
  const nodes = subjects.map((one): SceneNode => {
    const { kind, subject, state } = one;
    const isLost =
      kind !== 'host' &&
      !online.has(state.host ?? '') &&
      (live[kind].includes(state.status) || (state.status === 'error' && state.desired === 'connected'));
    const status = isLost ? 'unknown' : state.status;
    const visual = Value.Check(Visual, state.visual) ? state.visual : {};
    return {
      id: nodeId(one),
      kind,
      name: state.name,
      type: state.type ?? null,
      host: state.host ?? null,
      status,
      position: Value.Check(Position, state.position) ? state.position : placeOf(kind, one.place),
      color: colorOf(status),
      animation: animationOf(one, status, jobs.get(subject), toolOf(visual, readings.get(subject) ?? [])),
      scale: visual.scale ?? 1,
      ...(state.mocked ? { mocked: true } : {}),
    };
  });
  const of = (wanted: StateKind) => nodes.filter(({ kind }) => kind === wanted);
  return {
    agents: of('agent'),
    devices: of('device'),
    hosts: of('host'),
    links: linksOf(subjects, uses, new Set(nodes.map(({ id }) => id))),
    timestamp: at.toISOString(),
  };
}

const moving = ['starting', 'stopping', 'connecting'];

function animationOf(
  { kind, load }: SceneSubject,
  status: string,
  job: DeviceUse | undefined,
  tool: NonNullable<SceneNode['animation']['tool']> | null,
): SceneNode['animation'] {
  if (kind === 'host') return { type: 'none', speed: 0 };
  const pulse = moving.includes(status);
  if (kind === 'agent') {
    const share = status === 'running' ? Math.min(1, (load ?? 0) / 100) : 0;
    return {
      type: pulse ? 'pulse' : status === 'running' ? 'spin' : 'none',
      speed: share,
      load: load ?? null,
    };
  }
  const works = job?.status === 'running' && status === 'connected';
  return {
    type: works ? 'work' : pulse ? 'pulse' : 'none',
    speed: works ? 1 : 0,
    tool,
    progress: job?.progress ?? null,
  };
}

function toolOf(
  visual: Visual,
  readings: readonly LiveReading[],
): (SceneNode['animation']['tool'] & object) | null {
  const byName = new Map(readings.map((reading) => [reading.metric, reading]));
  const find = (axis: 'x' | 'y' | 'z') => {
    const own = visual.tool?.[axis];
    const name = (own === undefined ? toolMetrics[axis] : [own]).find((one) => byName.has(one));
    return name === undefined ? undefined : byName.get(name);
  };
  const [x, y, z] = [find('x'), find('y'), find('z')];
  const newest = Math.max(...[x, y, z].map((one) => one?.atUs ?? 0));
  if (newest === 0) return null;
  const timestamp = new Date(Math.floor(newest / 1_000)).toISOString();
  return { x: x?.value ?? null, y: y?.value ?? null, z: z?.value ?? null, timestamp };
}

function linksOf(
  subjects: readonly SceneSubject[],
  uses: readonly DeviceUse[],
  there: ReadonlySet<string>,
): SceneLink[] {
  const found = subjects.flatMap((one): SceneLink[] => {
    const { kind, subject, state } = one;
    if (kind === 'host') return [];
    const works = kind === 'agent' && Value.Check(WorksWith, state.devices) ? state.devices : [];
    return [
      { id: `on:${subject}`, kind: 'host', source: subject, target: `host:${state.host}` },
      ...[...new Set(works)].map(
        (device): SceneLink => ({
          id: `agent:${subject}:${device}`,
          kind: 'agent',
          source: subject,
          target: device,
        }),
      ),
    ];
  });
  const used = uses.map(
    ({ id, deviceId, kind, type, status, progress }): SceneLink => ({
      id: `${kind}:${id}:${deviceId}`,
      kind,
      source: id,
      target: deviceId,
      status,
      ...(kind === 'job' ? { type, progress } : {}),
    }),
  );
  return [...found, ...used].filter(({ target }) => there.has(target));
}

/** What of a scene is other than it was. */
export function sceneChanges(
  before: Scene,
  now: Scene,
): { nodes: SceneNode[]; links: SceneLink[]; removed: string[] } {
  const nodesOf = ({ agents, devices, hosts }: Scene) => [...agents, ...devices, ...hosts];
  const changed = <One extends { id: string }>(old: readonly One[], fresh: readonly One[]) => {
    const known = new Map(old.map((one) => [one.id, JSON.stringify(one)]));
    return fresh.filter((one) => known.get(one.id) !== JSON.stringify(one));
  };
  const gone = <One extends { id: string }>(old: readonly One[], fresh: readonly One[]) => {
    const there = new Set(fresh.map(({ id }) => id));
    return old.filter(({ id }) => !there.has(id)).map(({ id }) => id);
  };
  return {
    nodes: changed(nodesOf(before), nodesOf(now)),
    links: changed(before.links, now.links),
    removed: [...gone(nodesOf(before), nodesOf(now)), ...gone(before.links, now.links)],
  };
}
