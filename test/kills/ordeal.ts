import { isEnded } from '../../domain/neosyntis/runs.ts';
import type { Away, Platform, Victim } from './platform.ts';
import { programs } from './programs.ts';
import { createTraffic, pause } from './traffic.ts';
import { judge, type Kill, type Verdict } from './verdict.ts';
import { type Watcher, watch, watchRun } from './watchers.ts';

export interface OrdealResult extends Verdict {
  kills: Kill[];
  /** What watchers missed or saw twice, in words. */
  gaps: string[];
  frames: number;
  resumes: number;
  repeats: number;
}

export interface Ordeal {
  /** How long a new run with code in it takes now, with everything there, in ms. */
  probe(): Promise<number>;
  /** Kills it in the middle of new runs, waits until it is back and until everything is ready again. */
  kill(victim: Victim): Promise<Kill>;
  /** The same with one that is frozen for so long and then goes on. */
  freeze(victim: Victim, forMs: number): Promise<Kill>;
  /** Ends the traffic and judges all of it. */
  end(): Promise<OrdealResult>;
}

export interface OrdealOptions {
  /** Runs that are triggered as fast as they are taken, before the first kill. */
  burst: number;
  /** Runs that are triggered in the same way right before each kill, which meets all of them in their first steps. */
  each?: number;
  /** Runs that are triggered all the time, outages included. */
  perSecond: number;
  /** Runs that are watched at once. */
  watched: number;
}

const RECOVERED_WITHIN_MS = 180_000;
const WATCHED_WITHIN_MS = 60_000;
/** Seldom enough not to be what keeps busy what is to recover. */
const LOOK_AGAIN_MS = 150;

/** Runs of all kinds, more of them all the time, with people who watch: what kills happen to. */
export async function beginOrdeal(platform: Platform, options: OrdealOptions): Promise<Ordeal> {
  const open = new Set<string>();
  // A run may end before the repeated request that acknowledges it is answered.
  const ended = new Set<string>();
  const kills: Kill[] = [];
  const watchers: (Watcher & { hasEnded(): boolean })[] = [];
  const traffic = await createTraffic(platform, (run) => {
    const [id] = run.runIds;
    if (id === undefined) return;
    if (!ended.delete(id)) open.add(id);
    if (watchers.filter((watcher) => !watcher.hasEnded()).length < options.watched)
      watchers.push(watchRun(platform, id));
  });
  // Everything that happens on the platform, from its first event on.
  const events = watch(platform, {
    path: '/ws/events',
    onFrame: ({ event }) => {
      if (!/run\.(completed|failed|cancelled)$/.test(event.type)) return;
      if (!open.delete(event.subject)) ended.add(event.subject);
    },
  });
  await traffic.burst(options.burst);
  // A platform that cannot keep up gets no more than this to do.
  traffic.flow(options.perSecond, () => open.size < 2 * options.burst);

  /** Ready as the API says, and a new run with code in it ends. */
  async function recovered(): Promise<void> {
    await answers(platform, '/ready', (status) => status === 200);
    const probe = programs.find(({ name }) => name === 'code');
    if (!probe) throw new Error('there is no program "code"');
    const [id] = (await traffic.order(probe)).runIds;
    await answers(platform, `/api/neosyntis/runs/${id}`, (_status, body) => isEnded(body?.status));
  }

  async function after(victim: Victim, how: Kill['how'], away: Promise<Away>): Promise<Kill> {
    const { at, back } = await away;
    const kill: Kill = { victim, how, at, back, recoveredMs: 0 };
    kills.push(kill);
    await recovered();
    kill.recoveredMs = Date.now() - back;
    return kill;
  }

  return {
    async probe() {
      const startedAt = Date.now();
      await recovered();
      return Date.now() - startedAt;
    },
    async kill(victim) {
      await traffic.burst(options.each ?? 0);
      return after(victim, 'killed', platform.kill(victim));
    },
    async freeze(victim, forMs) {
      await traffic.burst(options.each ?? 0);
      return after(victim, 'frozen', platform.freeze(victim, forMs));
    },
    async end() {
      await traffic.stop();
      const verdict = await judge(platform, traffic);
      const gaps: string[] = [];
      const complete = async (watcher: Watcher, done: () => boolean, name: string) => {
        await seen(done, WATCHED_WITHIN_MS, () => `${name} did not come to its end`).catch((error: Error) =>
          gaps.push(error.message),
        );
        gaps.push(...watcher.wrong);
        watcher.close();
      };
      for (const [index, watcher] of watchers.entries())
        await complete(watcher, watcher.hasEnded, `watcher ${index}`);
      await complete(events, () => open.size === 0, '/ws/events');
      return {
        ...verdict,
        kills,
        gaps,
        frames: events.frames() + watchers.reduce((sum, watcher) => sum + watcher.frames(), 0),
        resumes: events.resumes() + watchers.reduce((sum, watcher) => sum + watcher.resumes(), 0),
        repeats: traffic.repeats(),
      };
    },
  };
}

/** Asks until the answer is as wanted. */
async function answers(
  platform: Platform,
  path: string,
  // biome-ignore lint/suspicious/noExplicitAny: looks into answers of several shapes
  wanted: (status: number, body: any) => boolean,
): Promise<void> {
  let latest = '';
  const isAsWanted = async () => {
    const answer = await platform.ask('GET', path);
    latest = `${answer?.status} ${answer?.text.slice(0, 300)}`;
    return answer !== undefined && wanted(answer.status, answer.body);
  };
  await seen(isAsWanted, RECOVERED_WITHIN_MS, () => `GET ${path}: ${latest}`);
}

async function seen(
  look: () => boolean | Promise<boolean>,
  withinMs: number,
  what: () => string,
): Promise<void> {
  const endsAt = Date.now() + withinMs;
  while (!(await look())) {
    if (Date.now() > endsAt) throw new Error(`after ${withinMs} ms: ${what()}`);
    await pause(LOOK_AGAIN_MS);
  }
}
