import { createReadStream } from 'node:fs';
import {
  type DeviceJobEnd,
  type DeviceJobProgress,
  noProgress,
} from '../../../domain/myntrix/device-jobs.ts';
import { readGcode } from '../gcode/lines.ts';
import { machineAt } from '../gcode/machine.ts';
import type { GcodeLine, GcodeRun, RunEnd, RunProgress } from '../gcode/port.ts';
import type { DeviceProtocol } from '../protocols/port.ts';
import type { JobContext } from './port.ts';
import { sendAll, sequencesFor } from './sequences.ts';

/** Runs a program from a line on: numbered, acknowledged, paused, resumed and cancelled as people want. */
export async function runProgram(
  context: JobContext,
  protocol: DeviceProtocol,
  { fromLine, restore }: { fromLine: number; restore: readonly string[] },
): Promise<DeviceJobEnd> {
  const { run } = protocol;
  let at: DeviceJobProgress = { ...noProgress, acknowledgedLine: fromLine - 1 };
  const held = async (reason: string): Promise<DeviceJobEnd> => ({
    kind: 'held',
    progress: at,
    reason,
    machine: await machineAt(context.file, at.acknowledgedLine),
  });
  if (!run)
    return {
      kind: 'failed',
      progress: noProgress,
      reason: `a device that speaks ${protocol.name} runs no programs: marlin and grbl do`,
    };
  const sequences = sequencesFor(protocol.name, context.order.sequences);
  const isCancelled = (): boolean => context.wanted() === 'cancel';
  const failed = await sendAll(protocol, restore, isCancelled);
  if (failed !== undefined) return held(`before the program went on: ${failed}`);
  if (isCancelled()) {
    return cancelled(at, await sendAll(protocol, sequences.cancel));
  }
  const program = run(
    linesFrom(context.file, fromLine, (bytes) => (at = { ...at, acknowledgedBytes: bytes })),
    {
      progressMs: 0, // each line: it is written down where it stands
      onProgress: (progress) => {
        at = { ...at, ...progressOf(progress) };
        context.progress(at);
      },
    },
  );
  steer(context, program, protocol, sequences);
  return endOf(await program.ended, at, held);
}

const progressOf = ({ acknowledgedLines, acknowledgedBytes, sourceLine, sentLines }: RunProgress) => ({
  acknowledgedLines,
  sentLines,
  ...(acknowledgedLines > 0 ? { acknowledgedBytes, acknowledgedLine: sourceLine } : {}),
});

/** What of the safe sequence was not done is not done again: a person looks at the machine. */
const cancelled = (progress: DeviceJobProgress, unsafe: string | undefined): DeviceJobEnd => ({
  kind: 'cancelled',
  progress,
  safe: unsafe === undefined ? { sent: true } : { sent: false, reason: unsafe },
});

async function endOf(
  end: RunEnd,
  progress: DeviceJobProgress,
  held: (reason: string) => Promise<DeviceJobEnd>,
): Promise<DeviceJobEnd> {
  if (end.kind === 'held') return held(end.reason);
  return end.kind === 'completed'
    ? { kind: 'completed', progress, result: { lines: progress.acknowledgedLines } }
    : cancelled(progress, end.reason);
}

/** The lines of a file from one on. @param skipped told where the first of them begins */
async function* linesFrom(
  file: string,
  fromLine: number,
  skipped: (bytes: number) => void,
): AsyncGenerator<GcodeLine[]> {
  let before = 0;
  let isEmpty = true;
  for await (const lines of readGcode(createReadStream(file))) {
    const wanted = lines.filter(({ sourceLine }) => sourceLine >= fromLine);
    if (wanted.length < lines.length) {
      before = lines[lines.length - wanted.length - 1]?.endByte ?? before;
      skipped(before);
    }
    if (wanted.length === 0) continue;
    isEmpty = false;
    yield wanted;
  }
  if (isEmpty) throw new Error(`the file has nothing to send from line ${fromLine} on`);
}

/**
 * Does what people want of a program, one thing after the other. A machine that can be held stands at once when it is
 * paused, unless it is to be told something then, which it would not take; and what it was sent and has not done is
 * dropped when the program is cancelled.
 */
function steer(
  context: JobContext,
  program: GcodeRun,
  protocol: DeviceProtocol,
  sequences: ReturnType<typeof sequencesFor>,
): void {
  let now: ReturnType<JobContext['wanted']> = 'run';
  let isBusy = false;
  let isHeld = false;
  const { feedHold } = protocol;
  const isCancelled = (): boolean => context.wanted() === 'cancel';

  async function pause(): Promise<void> {
    const settled = program.pause();
    if (feedHold && sequences.pause.length === 0) {
      isHeld = true;
      await feedHold.hold();
      context.activity('paused');
      return;
    }
    await settled;
    const problem = await sendAll(protocol, sequences.pause, isCancelled);
    context.activity('paused', problem && `paused, but ${problem}`);
  }

  async function resume(): Promise<void> {
    if (isHeld) await feedHold?.release();
    isHeld = false;
    const problem = await sendAll(protocol, sequences.resume, isCancelled);
    if (isCancelled()) return;
    context.activity('running', problem && `resumed, but ${problem}`);
    program.resume();
  }

  async function follow(): Promise<void> {
    if (isBusy) return;
    isBusy = true;
    while (now !== context.wanted() && now !== 'cancel') {
      now = context.wanted();
      if (now === 'cancel') await program.cancel(sequences.cancel, feedHold?.drop);
      // A connection that is over ends the program, and says so there.
      else if (now === 'pause') await pause().catch(() => {});
      else await resume().catch(() => {});
    }
    isBusy = false;
  }
  context.onWanted(() => void follow());
  void follow();
}
