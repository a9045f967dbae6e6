import { join } from 'node:path';
import { pause } from '../child/pause.ts';
import type { PartSpec } from '../child/supervise.ts';
import { isServing } from './health.ts';

export interface TemporalOptions {
  binary: string;
  /** What goes before the command (boundToUs). */
  bound: string[];
  dataDir: string;
  namespace: string;
  port: number;
  httpPort: number;
  uiPort: number;
  env: Record<string, string | undefined>;
}

/**
 * The dev server's defaults are made for trying things out: queue readers limited to 20 polls a second, four
 * partitions, timers a second late, a second at least from one execution of a run to the next. These make one workflow ten times faster (docs/decisions).
 */
export const temporalDynamicConfig = [
  'matching.numTaskqueueReadPartitions=1',
  'matching.numTaskqueueWritePartitions=1',
  'history.transferProcessorMaxPollRPS=2000',
  'history.timerProcessorMaxPollRPS=2000',
  'history.visibilityProcessorMaxPollRPS=2000',
  'history.timerProcessorMaxTimeShift="20ms"',
  'system.enableEagerWorkflowStart=true',
  'system.enableActivityEagerExecution=true',
  'history.workflowIdReuseMinimalInterval="50ms"',
];

/** What survives a power cut: a write-ahead log that is synced at each commit. */
const pragmas = ['journal_mode=WAL', 'synchronous=FULL'];

const POLL_MS = 20;

export const TEMPORAL_STOP = 'SIGTERM';

/** Temporal's dev server with its Web UI, on 127.0.0.1 only, kept in one SQLite file. */
export function temporalPart(options: TemporalOptions): PartSpec {
  const { binary, bound, dataDir, namespace, port, httpPort, uiPort, env } = options;
  const [file = '', ...args] = [
    [...bound, binary],
    ['server', 'start-dev', '--ip', '127.0.0.1', '--port', String(port)],
    ['--http-port', String(httpPort), '--ui-port', String(uiPort)],
    ['--db-filename', join(dataDir, 'temporal', 'temporal.db')],
    ['--log-level', 'warn', '--log-format', 'json'],
    namespace === 'default' ? [] : ['--namespace', namespace],
    pragmas.flatMap((pragma) => ['--sqlite-pragma', pragma]),
    temporalDynamicConfig.flatMap((value) => ['--dynamic-config-value', value]),
  ].flat();
  return {
    name: 'temporal',
    command: () => ({ file, args, env: withoutOurs(env), cwd: dataDir }),
    async ready(_child, signal) {
      while (!signal.aborted && !(await isServing(httpPort, namespace))) await pause(POLL_MS, signal);
      return {};
    },
    stopSignal: TEMPORAL_STOP,
  };
}

/** The CLI reads TEMPORAL_… settings for clients, and needs nothing of ours; what Go is told of memory and processors is its own. */
const withoutOurs = (env: TemporalOptions['env']) =>
  Object.fromEntries(
    Object.entries(env).filter(([name]) =>
      /^(PATH|HOME|TMPDIR|TZ|LANG|GOGC|GOMAXPROCS|GOMEMLIMIT|SSL_CERT_\w+)$/.test(name),
    ),
  );
