import { randomInt } from 'node:crypto';
import type { SceneRepository } from '../../db/myntrix/visualization.ts';
import { sceneChanges, sceneOf } from '../../domain/myntrix/scene.ts';
import type { Scene } from '../../domain/myntrix/visualization.ts';
import type { Logger } from '../../logs.ts';
import type { Connection } from '../http/socket.ts';
import { every } from './every.ts';

/** While somebody watches, all there is is looked at this often. */
const LOOK_EVERY_MS = 500;
/** Who has more before them gets the whole scene once they have caught up. */
const BEHIND_BYTES = 256 * 1024;
/** For who comes again: half a minute in which all the time something changes. */
const KEPT_CHANGES = 60;

interface Watcher {
  connection: Connection;
  /** The number up to which it was told. */
  told: number;
}

export type SceneStream = ReturnType<typeof createSceneStream>;

/** The 3D view's data to those who watch it: one look at the database and one serialisation for all of them. */
export function createSceneStream({ scenes, log }: { scenes: Pick<SceneRepository, 'now'>; log: Logger }) {
  const watchers = new Set<Watcher>();
  const changes: { seq: number; text: string }[] = [];
  // Other numbers than those of any other process.
  let seq = randomInt(2 ** 47);
  let scene: Scene | undefined;
  let looking: Promise<Scene> | undefined;

  async function look(): Promise<Scene> {
    const now = sceneOf(await scenes.now());
    const before = scene;
    scene = now;
    if (!before) return now;
    const changed = sceneChanges(before, now);
    if (changed.nodes.length + changed.links.length + changed.removed.length === 0) return now;
    seq++;
    const frame = { type: 'changes', seq, ...changed, timestamp: now.timestamp };
    changes.push({ seq, text: JSON.stringify(frame) });
    if (changes.length > KEPT_CHANGES) changes.shift();
    return now;
  }

  /** One at a time: each is compared with the one before. */
  function lookOnce(): Promise<Scene> {
    looking ??= look().finally(() => {
      looking = undefined;
    });
    return looking;
  }

  function tell(watcher: Watcher, now: Scene): void {
    if (watcher.told === seq || watcher.connection.waitingBytes() > BEHIND_BYTES) return;
    const first = changes[0]?.seq ?? seq + 1;
    if (watcher.told >= first - 1 && watcher.told < seq)
      for (const { text } of changes.slice(watcher.told - first + 1)) watcher.connection.sendText(text);
    else watcher.connection.send({ type: 'snapshot', seq, ...now });
    watcher.told = seq;
  }

  const telling = every(
    LOOK_EVERY_MS,
    async () => {
      if (watchers.size === 0) return;
      const now = await lookOnce();
      for (const watcher of watchers) tell(watcher, now);
    },
    (error) => log.warn({ err: error }, 'the 3D view cannot be looked at'),
  );

  return {
    /** Tells a connection until it is closed: what follows a number, if that is known here, or first all there is. */
    async follow(after: number | undefined, connection: Connection): Promise<void> {
      const now = await lookOnce();
      const watcher = { connection, told: after ?? -1 };
      tell(watcher, now);
      watchers.add(watcher);
      connection.onClosed(() => watchers.delete(watcher));
    },
    close: telling.stop,
  };
}
