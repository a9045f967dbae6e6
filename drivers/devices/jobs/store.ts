import { createReadStream } from 'node:fs';
import {
  type DeviceJobEnd,
  type DeviceJobProgress,
  noProgress,
} from '../../../domain/myntrix/device-jobs.ts';
import { readGcode } from '../gcode/lines.ts';
import type { GcodeLine } from '../gcode/port.ts';
import type { DeviceProtocol } from '../protocols/port.ts';
import type { JobContext } from './port.ts';

/** Cards are slow to open and to list. */
const COMMAND_MS = 60_000;

/**
 * Writes a program to the device's card as Marlin does it: M28 opens a file, each numbered line goes into it, M29
 * closes it. One that is not whole is deleted.
 */
export async function storeProgram(
  context: JobContext,
  protocol: DeviceProtocol,
  name: string,
): Promise<DeviceJobEnd> {
  let at: DeviceJobProgress = noProgress;
  const failed = (reason: string): DeviceJobEnd => ({ kind: 'failed', progress: at, reason });
  const { run } = protocol;
  if (protocol.name !== 'marlin' || !run)
    return failed(
      `a device that speaks ${protocol.name} has no card: ${run ? 'run the program instead (run=true)' : 'send it as a file (kind=file)'}`,
    );
  const opened = await protocol.command(`M28 ${name}`, { timeoutMs: COMMAND_MS });
  if (opened.state !== 'acknowledged' || !opened.lines.some((line) => /Writing to file/i.test(line)))
    return failed(`the card does not take ${name}: ${opened.reason ?? opened.lines.join(' ')}`);
  const program = run(withEnd(context.file), {
    progressMs: 0,
    onProgress({ acknowledgedLines, acknowledgedBytes, sourceLine, sentLines }) {
      at = { acknowledgedLines, acknowledgedBytes, acknowledgedLine: sourceLine, sentLines };
      context.progress(at);
    },
  });
  const cancelled = () => {
    if (context.wanted() === 'cancel') void program.cancel(['M29', `M30 ${name}`]);
  };
  context.onWanted(cancelled);
  cancelled();
  const end = await program.ended;
  if (end.kind === 'cancelled') return { kind: 'cancelled', progress: at };
  if (end.kind === 'held')
    return failed(
      `${name} is not whole on the card, which may still be open for writing (M29): ${end.reason}`,
    );
  const listed = await protocol.command('M20', { timeoutMs: COMMAND_MS });
  if (!listed.lines.some((line) => line.trim().toUpperCase().startsWith(name.toUpperCase())))
    return failed(`the card does not list ${name} after it was written`);
  return { kind: 'completed', progress: at, result: { name, lines: at.acknowledgedLines - 1 } };
}

/** M29 is the program's own last line: nothing that is asked at its end goes into the file. */
async function* withEnd(file: string): AsyncGenerator<GcodeLine[]> {
  let last = { sourceLine: 0, endByte: 0 };
  for await (const lines of readGcode(createReadStream(file))) {
    last = lines.at(-1) ?? last;
    yield lines;
  }
  yield [{ ...last, text: 'M29' }];
}
