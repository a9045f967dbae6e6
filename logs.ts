import { pino } from 'pino';

export type Logger = pino.Logger;

/** Names whose values never reach a log, at the top of a line and one level below. */
const secretNames = [
  'password',
  'token',
  'access_token',
  'refresh_token',
  'secret',
  'ticket',
  'api_key',
  'authorization',
  'cookie',
  'connectionString',
  'DATABASE_URL',
  'BUS_PASSWORD',
];

/**
 * JSON lines on standard output, one logger a process, children with `requestId`, `jobId` and `runId`.
 * @param mask sees each line before it is written: it leaves out the secrets that the process has in its hands.
 */
export function createLogger(
  name: string,
  level: string,
  mask: (line: string) => string = (line) => line,
): Logger {
  return pino(
    {
      level,
      base: { process: name },
      timestamp: pino.stdTimeFunctions.isoTime,
      redact: {
        paths: secretNames.flatMap((secret) => [secret, `*.${secret}`, `req.headers.${secret}`]),
        censor: '[redacted]',
      },
    },
    standardOutput(mask),
  );
}

const FLUSH_MS = 20;
const FLUSH_LENGTH = 8_192;

/**
 * Gathers informative lines for a moment and writes them at once: a write for each line costs as much as making it,
 * and wakes its reader each time. Warnings, errors and the end of the process do not wait. The gathering is not the
 * destination's: its flush tries for ever, and lets nothing else happen, when whoever read the lines is gone.
 */
function standardOutput(mask: (line: string) => string): pino.DestinationStream {
  const output = pino.destination({ sync: true });
  let gathered = '';
  let timer: NodeJS.Timeout | undefined;
  function flush(): void {
    clearTimeout(timer);
    timer = undefined;
    const lines = gathered;
    gathered = '';
    if (lines) output.write(lines);
  }
  process.once('exit', flush);
  return {
    write(line) {
      gathered += mask(line);
      if (gathered.length >= FLUSH_LENGTH || !isInformative.test(line)) flush();
      else timer ??= setTimeout(flush, FLUSH_MS).unref();
    },
  };
}

const isInformative = /^\{"level":[123]0,/;
