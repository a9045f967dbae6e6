import { setTimeout as delay } from 'node:timers/promises';
import { AppError } from '../../../domain/errors.ts';
import { type DeviceAddress, parseDeviceAddress } from '../../../domain/myntrix/device-address.ts';
import { type DeviceJobEnd, noProgress, OUTPUT_LIMIT_BYTES } from '../../../domain/myntrix/device-jobs.ts';
import { type Flasher, flasherArguments, programsOf } from '../../../domain/myntrix/flashers.ts';
import type { Json } from '../../../domain/wire.ts';
import type { ProcessEnd, Processes } from '../../processes/port.ts';
import type { DeviceSessions } from '../sessions/port.ts';
import type { JobContext } from './port.ts';

const FLASH_SECONDS = 15 * 60;
/** A device that has new firmware starts, and is connected to anew. */
const BACK_WITHIN_MS = 60_000;
const LOOK_EVERY_MS = 100;

/**
 * Writes firmware by a program of the host, while the session has let go of the port. Its version is asked before and
 * after.
 */
export async function flash(
  context: JobContext,
  {
    sessions,
    processes,
    PATH,
  }: { sessions: DeviceSessions; processes: Pick<Processes, 'run'>; PATH: string },
  flasher: Flasher,
): Promise<DeviceJobEnd> {
  const { deviceId, connectionString, defaultPort } = context.order;
  const { timeoutSeconds = FLASH_SECONDS } = flasher;
  const before = sessions.of(deviceId)?.identity;
  let output = '';
  const say = (text: string): void => {
    const room = OUTPUT_LIMIT_BYTES - Buffer.byteLength(output);
    const kept = Buffer.byteLength(text) <= room ? text : '';
    output += kept;
    if (kept !== '') context.say(kept);
  };
  const write = async (address: DeviceAddress): Promise<ProcessEnd> => {
    const port = address.transport === 'serial' ? address.path : undefined;
    const argv = flasherArguments(flasher, context.file, port);
    for (const program of programsOf[flasher.flasher]) {
      const { end } = await processes.run(
        {
          id: `flash-${context.order.id}-${context.order.attempt}-${program.replaceAll('.', '-')}`,
          argv: [program, ...argv],
          env: { PATH },
          platformEnv: {},
          asHost: true,
          timeoutMs: timeoutSeconds * 1_000,
          killGraceMs: 2_000,
          outputLimitBytes: 16 * 1024 * 1024,
        },
        { signal: context.cancelled, onOutput: ({ text }) => say(text) },
      );
      if (end.kind !== 'not_started' || end.cause !== 'missing_program') return end;
    }
    return {
      kind: 'not_started',
      cause: 'missing_program',
      reason: `this host has no ${flasher.flasher}: install it there`,
    };
  };
  // One that nobody holds can be written too: firmware that does not answer cannot be connected to.
  const isHeld = sessions.reports().some(({ id, status }) => id === deviceId && status !== 'disconnected');
  const end = isHeld
    ? await sessions.lend(deviceId, `firmware ${context.order.file.name}`, write).catch(withHint)
    : await sessions.keepFree(deviceId, () =>
        write(parseDeviceAddress(connectionString, defaultPort ?? undefined)),
      );
  const progress = {
    ...noProgress,
    acknowledgedBytes: end.kind === 'exited' && end.code === 0 ? context.order.file.sizeBytes : 0,
  };
  const version = { before: versionOf(before), after: null as Json };
  if (end.kind === 'cancelled')
    return {
      kind: 'cancelled',
      progress,
      output,
      reason: `the flasher was ended: ${IN_DOUBT}`,
    };
  if (end.kind !== 'exited' || end.code !== 0)
    return { kind: 'failed', progress, output, reason: `${flasher.flasher} ${saidOf(end, timeoutSeconds)}` };
  if (isHeld) version.after = await backWith(sessions, deviceId);
  return { kind: 'completed', progress, output, result: { flasher: flasher.flasher, version } };
}

const versionOf = (identity: { firmwareName?: string; firmwareVersion?: string } | undefined): Json =>
  identity ? { name: identity.firmwareName ?? null, version: identity.firmwareVersion ?? null } : null;

/** Null when it is not back in time. */
async function backWith(sessions: DeviceSessions, deviceId: string): Promise<Json> {
  const until = performance.now() + BACK_WITHIN_MS;
  for (;;) {
    const live = sessions.of(deviceId);
    if (live) return versionOf(live.identity);
    if (performance.now() > until) return null;
    await delay(LOOK_EVERY_MS);
  }
}

function withHint(error: unknown): never {
  if (!(error instanceof AppError) || error.code !== 'unavailable') throw error;
  throw new AppError(
    'unavailable',
    `${error.message} One that does not answer is written while it is disconnected: disconnect it first.`,
  );
}

const IN_DOUBT = 'what firmware the device has now is unknown';

function saidOf(end: ProcessEnd, timeoutSeconds: number): string {
  switch (end.kind) {
    case 'exited':
      return `ended with code ${end.code}; its output says why`;
    case 'signalled':
      return `was ended by ${end.signal}: ${IN_DOUBT}`;
    case 'timed_out':
      return `was not done within ${timeoutSeconds} s, and was ended: ${IN_DOUBT}`;
    case 'not_started':
      return `did not start: ${end.reason}`;
    default:
      return `was ended (${end.kind}): ${IN_DOUBT}`;
  }
}
