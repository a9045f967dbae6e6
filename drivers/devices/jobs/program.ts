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
    const unsafe = await sendAll(protocol, sequences.cancel);
    return unsafe === undefined ? { kind: 'cancelled', progress: at } : held(`cancelled, but ${unsafe}`);
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

async function endOf(
  end: RunEnd,
  progress: DeviceJobProgress,
  held: (reason: string) => Promise<DeviceJobEnd>,
): Promise<DeviceJobEnd> {
  if (end.kind === 'held') return held(end.reason);
  return end.kind === 'completed'
    ? { kind: 'completed', progress, result: { lines: progress.acknowledgedLines } }
    : { kind: 'cancelled', progress };
}

/** The lines of a file from one on. @param skipped told where the first of them begins */
async function* linesFrom(
  file: string,
  fromLine: number,
  skipped: (bytes: number) => void,
): AsyncGenerator<GcodeLine[]> {
  let before = 0;
  for await (const lines of readGcode(createReadStream(file))) {
    const wanted = lines.filter(({ sourceLine }) => sourceLine >= fromLine);
    if (wanted.length < lines.length) {
      before = lines[lines.length - wanted.length - 1]?.endByte ?? before;
      skipped(before);
    }
    if (wanted.length > 0) yield wanted;
  }
}

/** Does what people want of a program, one thing after the other. */
function steer(
  context: JobContext,
  program: GcodeRun,
  protocol: DeviceProtocol,
  sequences: ReturnType<typeof sequencesFor>,
): void {
  let now: ReturnType<JobContext['wanted']> = 'run';
  let isBusy = false;
  const isCancelled = (): boolean => context.wanted() === 'cancel';
  async function follow(): Promise<void> {
    if (isBusy) return;
    isBusy = true;
    while (now !== context.wanted() && now !== 'cancel') {
      now = context.wanted();
      if (now === 'cancel') await program.cancel(sequences.cancel);
      else if (now === 'pause') {
        await program.pause();
        const problem = await sendAll(protocol, sequences.pause, isCancelled);
        context.activity('paused', problem && `paused, but ${problem}`);
      } else {
        const problem = await sendAll(protocol, sequences.resume, isCancelled);
        if (isCancelled()) continue;
        context.activity('running', problem && `resumed, but ${problem}`);
        program.resume();
      }
    }
    isBusy = false;
  }
  context.onWanted(() => void follow());
  void follow();
}
