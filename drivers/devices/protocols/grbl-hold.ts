import { setTimeout as delay } from 'node:timers/promises';
import { AppError } from '../../../domain/errors.ts';
import type { FeedHold } from './port.ts';

/** A machine has come to a stand, or has started anew, within so long. */
const STANDS_WITHIN_MS = 10_000;
const LOOK_EVERY_MS = 20;

/** A machine that stands, or will not move any more; `Hold:1` is still on its way there. */
const STANDING = /^(Hold(:0)?|Idle|Alarm|Check|Door(:[01])?)$/;

export interface GrblSight {
  /** How often it has said how it is, and what it said last. */
  reports: number;
  state: string;
  /** How often it has started anew. */
  starts: number;
  /** Why the connection is over. */
  over: string | undefined;
}

/**
 * GRBL's feed hold: the machine slows down and stands, in the middle of a motion, and takes no line until it goes on. A
 * reset then forgets what it was told, and it still knows where it is; one while it moves would lose that (its wiki,
 * "Real-time Commands").
 */
export function createFeedHold(write: (bytes: string) => Promise<void>, see: () => GrblSight): FeedHold {
  async function until(what: string, done: (sight: GrblSight) => boolean): Promise<void> {
    const endsAt = performance.now() + STANDS_WITHIN_MS;
    for (let sight = see(); !done(sight); sight = see()) {
      if (sight.over !== undefined) throw new AppError('unavailable', sight.over);
      if (performance.now() > endsAt)
        throw new AppError('timeout', `${what} within ${STANDS_WITHIN_MS / 1_000} s; it is ${sight.state}`);
      await delay(LOOK_EVERY_MS);
    }
  }

  return {
    hold: () => write('!'),
    release: () => write('~'),
    async drop() {
      const { reports } = see();
      await write('!');
      // The first report may be the answer to what was asked before.
      const isFresh = (sight: GrblSight) => sight.reports > reports + 1;
      await until('the machine did not stand', (sight) => isFresh(sight) && STANDING.test(sight.state));
      const { starts } = see();
      await write('\u0018');
      await until('the controller did not start anew', (sight) => sight.starts > starts);
    },
  };
}
