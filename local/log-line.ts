const levels: Record<number, string> = { 40: 'warning', 50: 'error', 60: 'fatal' };

export interface LogLine {
  level: number;
  text: string;
}

/** A line of our own processes' logs (pino's JSON, logs.ts); undefined when it is something else. */
export function readLogLine(line: string): LogLine | undefined {
  if (!line.startsWith('{"level":')) return undefined;
  try {
    const { level, msg, err } = JSON.parse(line) as {
      level: number;
      msg?: string;
      err?: { message?: string };
    };
    return { level, text: [msg, err?.message].filter(Boolean).join(': ') };
  } catch {
    return undefined; // cut off, or not a log line after all
  }
}

/** The same line for a person's eyes. */
export function readable(line: string): string {
  const read = readLogLine(line);
  return read ? `${levels[read.level] ?? 'info'}: ${read.text}` : line;
}
