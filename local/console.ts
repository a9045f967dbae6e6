import { type PartName, partLabels, type Report, type StackEvent } from './events.ts';

export interface Screen {
  write(text: string): void;
  isTerminal: boolean;
}

const LINES_PER_WINDOW = 5;
const WINDOW_MS = 10_000;
const LABEL_WIDTH = 16;

/** Shows what happens, a line each; on a terminal progress stays on one line and there is some colour. */
export function createConsole(
  screen: Screen,
  dataDir: string,
): { report: Report; line: (text: string) => void } {
  const colour = (code: number, text: string) => (screen.isTerminal ? `\x1b[${code}m${text}\x1b[0m` : text);
  const clear = screen.isTerminal ? '\r\x1b[2K' : '';
  let hasProgress = false;
  let isStopping = false;
  const saidAt = new Map<PartName, number>();
  const logged = new Map<string, { since: number; lines: number }>();

  function line(text: string): void {
    screen.write(`${hasProgress ? clear : ''}${text}\n`);
    hasProgress = false;
  }

  /** Without a terminal, each is a line of its own: the first at once, then one now and then. */
  function progress({ part }: { part: PartName }, text: string): void {
    if (screen.isTerminal) {
      screen.write(`${clear}${text.slice(0, 110)}`);
      hasProgress = true;
    } else if (Date.now() - (saidAt.get(part) ?? 0) >= WINDOW_MS) {
      saidAt.set(part, Date.now());
      line(text);
    }
  }

  /** A process in trouble says so often: a few of its lines tell, the log file has the rest. */
  function log(event: Extract<StackEvent, { type: 'log' }>): void {
    if (isStopping && event.level === 'warn') return; // parts lose each other then
    const now = Date.now();
    const window = logged.get(event.part);
    const current = window && now - window.since < WINDOW_MS ? window : { since: now, lines: 0 };
    logged.set(event.part, current);
    current.lines++;
    const label = partLabels[event.part];
    const level = event.level === 'error' ? colour(31, 'error') : colour(33, 'warning');
    if (current.lines <= LINES_PER_WINDOW) line(`  ${label}: ${level}: ${event.text.slice(0, 300)}`);
    else if (current.lines === LINES_PER_WINDOW + 1)
      line(`  ${label}: more of these in ${dataDir}/logs/${event.part}.log`);
  }

  function report(event: StackEvent): void {
    if (event.type === 'stopping') isStopping = true;
    if (event.type === 'log') log(event);
    else if (event.type === 'progress') progress(event, describe(event));
    else line(describe(event));
  }

  function describe(event: Exclude<StackEvent, { type: 'log' }>): string {
    const label = 'part' in event ? partLabels[event.part] : '';
    const column = `  ${label.padEnd(LABEL_WIDTH)}`;
    switch (event.type) {
      case 'progress':
        return `${column} ${event.text} …`;
      case 'up':
        return `${column} ${colour(32, 'ready')} ${colour(2, seconds(event.ms))}`;
      case 'up-again':
        return `  ${label} is ready again after ${seconds(event.ms)}`;
      case 'ended':
        return `  ${colour(33, `${label} ended (${event.how})`)}, starting it again in ${seconds(event.retryMs)}`;
      case 'notice':
        return `  ${event.text}`;
      case 'stopping':
        return `  stopping ${event.parts.map((part) => partLabels[part]).join(', ')} …`;
      case 'stopped':
        return `Stopped in ${seconds(event.ms)}.`;
    }
  }
  return { report, line };
}

const seconds = (ms: number) => `${(ms / 1000).toFixed(1)} s`;
