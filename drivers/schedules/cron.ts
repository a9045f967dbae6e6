import { Cron } from 'croner';
import { LRUCache } from 'lru-cache';
import { meant } from '../../domain/neosyntis/nearest.ts';

/** Of six fields the first is seconds, of seven the last is the year too. Days of month and week are either of both. */
const open = (cron: string, timezone: string) => new Cron(cron, { timezone, mode: 'auto', paused: true });

/** One of which it was asked before, and of which it is asked at each tick. */
const opened = new LRUCache<string, Cron>({ max: 1_000 });

function known(cron: string, timezone: string): Cron {
  const key = `${timezone} ${cron}`;
  const found = opened.get(key) ?? open(cron, timezone);
  opened.set(key, found);
  return found;
}

/**
 * What is wrong with a cron expression and its time zone, if something is.
 * A zone is an IANA name as it is spelled there, or UTC.
 */
export function cronProblem(cron: string, timezone: string): string | undefined {
  const broken = zoneProblem(timezone);
  if (broken !== undefined) return undefined; // said where the zone is
  const fields = cron.trim().split(/\s+/);
  // Systems do not agree on what a sixth one is.
  if (fields.length !== 5)
    return `"${cron.slice(0, 100)}" has ${fields.length} fields; five are needed: minute, hour, day of the month, month, day of the week. For seconds use \`every\``;
  return patternProblem(cron, timezone);
}

/** What is wrong with a cron expression of five to seven fields, in a zone that there is. */
export function patternProblem(cron: string, timezone: string): string | undefined {
  try {
    if (open(cron, timezone).nextRun() === null) return `"${cron.slice(0, 100)}" never comes`;
    return undefined;
  } catch (error) {
    const why = error instanceof Error ? error.message.replace(/^CronPattern: /, '') : String(error);
    return `"${cron.slice(0, 100)}" is no cron expression: ${why}`;
  }
}

/** What is wrong with the name of a time zone, if something is. */
export function zoneProblem(timezone: string): string | undefined {
  if (!/^(?:UTC|[A-Z][A-Za-z0-9_+-]*(?:\/[A-Za-z0-9_+-]+){1,2})$/.test(timezone))
    return unknownZone(timezone);
  try {
    const { timeZone: spelled } = new Intl.DateTimeFormat('en', { timeZone: timezone }).resolvedOptions();
    return spelled !== timezone && spelled.toLowerCase() === timezone.toLowerCase()
      ? unknownZone(timezone, spelled)
      : undefined;
  } catch {
    return unknownZone(timezone); // the only thing that this constructor refuses here
  }
}

const unknownZone = (timezone: string, near = meant(timezone, Intl.supportedValuesOf('timeZone'))): string =>
  `"${timezone.slice(0, 100)}" is no IANA time zone such as Europe/Berlin${near === undefined ? '' : `; did you mean ${near}?`}`;

/** The next times after one, whole seconds; fewer when there are no more. */
export function cronTimes(cron: string, timezone: string, after: Date, count: number): Date[] {
  return known(cron, timezone).nextRuns(count, after);
}

/** Whether it comes at this very second. */
export function comesAt(cron: string, timezone: string, at: Date): boolean {
  const [next] = cronTimes(cron, timezone, new Date(at.getTime() - 1_000), 1);
  return next?.getTime() === at.getTime();
}

/** The seconds of a minute, minutes of an hour and hours of a day that it names, in its own zone. */
export function clockOf(cron: string): { seconds: number[]; minutes: number[]; hours: number[] } {
  const fields = cron.trim().split(/\s+/);
  const [second = '', minute = '', hour = ''] = fields.length === 5 ? ['0', ...fields] : fields;
  const midnight = new Date(-1_000);
  const day = new Date(86_400_000);
  const within = (expression: string) =>
    cronTimes(expression, 'UTC', midnight, 60).filter((time) => time < day);
  return {
    seconds: [...new Set(within(`${second} 0 0 * * *`).map((time) => time.getUTCSeconds()))],
    minutes: within(`${minute} 0 * * *`).map((time) => time.getUTCMinutes()),
    hours: within(`0 ${hour} * * *`).map((time) => time.getUTCHours()),
  };
}
