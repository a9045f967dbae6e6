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

/** JSON lines on standard output, one logger a process, children with `requestId`, `jobId` and `runId`. */
export function createLogger(process: string, level: string): Logger {
  return pino({
    level,
    base: { process },
    timestamp: pino.stdTimeFunctions.isoTime,
    redact: {
      paths: secretNames.flatMap((name) => [name, `*.${name}`, `req.headers.${name}`]),
      censor: '[redacted]',
    },
  });
}
