import { readFileSync } from 'node:fs';
import { isEnded, type Run, type RunSummary } from '../../domain/neosyntis/runs.ts';
import type { Platform, Victim } from './platform.ts';
import { type Ordered, pause, type Traffic } from './traffic.ts';

export interface Kill {
  victim: Victim;
  how: 'killed' | 'frozen';
  at: number;
  back: number;
  /** From being back until everything is ready and a new run has ended. */
  recoveredMs: number;
}

export interface Verdict {
  acknowledged: number;
  right: number;
  /** Runs that failed because a code step was in flight on a host that was killed. */
  unknown: number;
  /** Runs that failed because Temporal, killed itself, gave a code step to nobody, and its host was too young to say. */
  unknownToNewHost: number;
  /** Runs that failed because no host took a code step in time, which then did nothing: it was away, or had no time. */
  untaken: number;
  /** What must not be, each in words. */
  lost: string[];
  doubled: string[];
  wrong: string[];
}

/** Runs that were in flight go on within this time after the last recovery. */
const ENDED_WITHIN_MS = 180_000;

const PAGE = 200;

/** Judges every run that was ordered, and every run that there is, once all have ended. */
export async function judge(platform: Platform, traffic: Traffic): Promise<Verdict> {
  const found = await allEnded(platform, traffic);
  const marks = count(readFileSync(traffic.file, 'utf8').split('\n').filter(Boolean));
  const mails = count(await mailSubjects(platform));
  const verdict: Verdict = {
    acknowledged: traffic.acknowledged.length,
    right: 0,
    unknown: 0,
    unknownToNewHost: 0,
    untaken: 0,
    lost: [],
    doubled: [],
    wrong: [...traffic.refused],
  };
  for (const ordered of traffic.acknowledged) {
    const runs = found.get(ordered.token) ?? [];
    const what = `${ordered.program.name} ${[...ordered.runIds].join()}`;
    if (runs.length > 1 || ordered.runIds.size > 1) verdict.doubled.push(`${what}: ${runs.length} runs`);
    for (const [mark, times] of timesOf(ordered, marks, mails))
      if (times > 1) verdict.doubled.push(`${what}: ${mark} ${times} times`);
    const [run] = runs;
    if (!run || !isEnded(run.status)) verdict.lost.push(`${what}: ${run?.status ?? 'no run'}`);
    else if (isRight(ordered, run) && timesOf(ordered, marks, mails).every(([, times]) => times === 1))
      verdict.right++;
    else {
      const honest = await failedBecause(platform, run, (name) => marks.get(`${ordered.token} ${name}`));
      if (honest) verdict[honest]++;
      else
        verdict.wrong.push(
          `${what}: ${run.status} ${JSON.stringify(run.error ?? run.output)} ${JSON.stringify(timesOf(ordered, marks, mails))}`,
        );
    }
  }
  return verdict;
}

const isRight = (ordered: Ordered, run: RunSummary): boolean =>
  run.status === 'completed' && (run.output as { token?: string } | null)?.token === ordered.token; // the programs' own output

/** How often each effect of a run took place. */
function timesOf(
  { token, program }: Ordered,
  marks: ReadonlyMap<string, number>,
  mails: ReadonlyMap<string, number>,
): [string, number][] {
  const times = program.marks.map((name): [string, number] => [name, marks.get(`${token} ${name}`) ?? 0]);
  return program.mails ? [...times, ['mail', mails.get(token) ?? 0]] : times;
}

/** A host that has been there for less than this cannot say that a step never came to it. */
const HOST_KNOWS_AFTER_MS = 30_000;

/** A run may fail only because a code step says that what it did is unknown, and nobody can know, or that it did nothing. */
async function failedBecause(
  platform: Platform,
  { id, status }: RunSummary,
  timesOf: (mark: string) => number | undefined,
): Promise<'unknown' | 'unknownToNewHost' | 'untaken' | undefined> {
  if (status !== 'failed') return undefined;
  const run = (await read(platform, `/api/neosyntis/runs/${id}`)) as Run; // as its schema says
  const marksOf = ({ name }: { name: string }) => timesOf(name.replace('mark-', ''));
  const isUntaken = ({ kind, error }: Run['steps'][number]) =>
    kind === 'run' && /did not take the step within/.test(error?.detail ?? '');
  const untaken = run.steps.find(isUntaken);
  if (untaken) return marksOf(untaken) ? undefined : 'untaken';
  const step = run.steps.find(({ kind, status }) => kind === 'run' && status === 'unknown');
  if (!step) return undefined;
  const [began, ended] = [Date.parse(step.started_at ?? ''), Date.parse(step.ended_at ?? '')];
  // Those before the traffic began, too: the host was young then.
  const hosts = platform.killed.filter(({ victim, at }) => victim === 'host' && at <= ended);
  if (hosts.some(({ back }) => began <= back)) return 'unknown';
  const isNew = hosts.some(({ back }) => began <= back + HOST_KNOWS_AFTER_MS);
  return isNew && !marksOf(step) ? 'unknownToNewHost' : undefined;
}

/** Waits until no run is open any more, or the time is up. @returns all runs there are, by their token. */
async function allEnded(platform: Platform, traffic: Traffic): Promise<Map<string, RunSummary[]>> {
  const endsAt = Date.now() + ENDED_WITHIN_MS;
  for (;;) {
    const lists = await Promise.all(
      [...traffic.workflowIds.values()].map((id) => pages(platform, `/api/neosyntis/workflows/${id}/runs`)),
    );
    const runs = lists.flat() as RunSummary[]; // as the route's schema says
    if (runs.every(({ status }) => isEnded(status)) || Date.now() > endsAt)
      return Map.groupBy(runs, ({ input }) => (input as { token: string }).token); // traffic's own input
    await pause(1_000);
  }
}

const mailSubjects = async (platform: Platform): Promise<string[]> =>
  ((await pages(platform, '/api/outbox')) as { subject: string }[]).map(({ subject }) => subject);

/** A list that goes on from its last entry until there is no more. */
async function pages(platform: Platform, path: string): Promise<unknown[]> {
  const all: { id: string }[] = [];
  for (;;) {
    const cursor = all.at(-1)?.id;
    const page = (await read(platform, `${path}?limit=${PAGE}${cursor ? `&cursor=${cursor}` : ''}`)) as {
      id: string;
    }[];
    all.push(...page);
    if (page.length < PAGE) return all;
  }
}

async function read(platform: Platform, path: string): Promise<unknown> {
  for (;;) {
    const answer = await platform.ask('GET', path);
    if (answer?.status === 200) return answer.body;
    if (answer && answer.status !== 503) throw new Error(`GET ${path}: ${answer.status} ${answer.text}`);
    await pause(200);
  }
}

function count(names: readonly string[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1);
  return counts;
}
