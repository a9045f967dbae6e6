import { Cron } from 'croner';

/** Five fields, in the classical order: systems do not agree on what a sixth one is. */
const open = (cron: string, timezone: string) => new Cron(cron, { timezone, mode: '5-part', paused: true });

/**
 * What is wrong with a cron expression and its time zone, if something is.
 * A zone is an IANA name as it is spelled there, or UTC.
 */
export function cronProblem(cron: string, timezone: string): string | undefined {
  const broken = zoneProblem(timezone);
  if (broken !== undefined) return undefined; // said where the zone is
  const fields = cron.trim().split(/\s+/);
  if (fields.length !== 5)
    return `"${cron.slice(0, 100)}" has ${fields.length} fields; five are needed: minute, hour, day of the month, month, day of the week. For seconds use \`every\``;
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
  const unknown = `"${timezone.slice(0, 100)}" is no IANA time zone such as Europe/Berlin`;
  if (!/^(?:UTC|[A-Z][A-Za-z0-9_+-]*(?:\/[A-Za-z0-9_+-]+){1,2})$/.test(timezone)) return unknown;
  try {
    const { timeZone: known } = new Intl.DateTimeFormat('en', { timeZone: timezone }).resolvedOptions();
    if (known !== timezone && known.toLowerCase() === timezone.toLowerCase())
      return `${unknown}; did you mean ${known}?`;
    return undefined;
  } catch {
    return unknown; // the only thing that this constructor refuses here
  }
}

/** The next times after one, whole minutes; fewer when there are no more. */
export function cronTimes(cron: string, timezone: string, after: Date, count: number): Date[] {
  return open(cron, timezone).nextRuns(count, after);
}

/** Whether it comes at this very second. */
export function comesAt(cron: string, timezone: string, at: Date): boolean {
  const [next] = cronTimes(cron, timezone, new Date(at.getTime() - 1_000), 1);
  return next?.getTime() === at.getTime();
}

/** The minutes of an hour and hours of a day that it names, in its own zone. */
export function clockOf(cron: string): { minutes: number[]; hours: number[] } {
  const [minute = '', hour = ''] = cron.trim().split(/\s+/);
  const midnight = new Date(-1_000);
  const day = new Date(86_400_000);
  const within = (expression: string) =>
    cronTimes(expression, 'UTC', midnight, 60).filter((time) => time < day);
  return {
    minutes: within(`${minute} 0 * * *`).map((time) => time.getUTCMinutes()),
    hours: within(`0 ${hour} * * *`).map((time) => time.getUTCHours()),
  };
}
