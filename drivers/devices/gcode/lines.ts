import { AppError } from '../../../domain/errors.ts';
import type { GcodeLine } from './port.ts';

/** The longest line that is read at all, comments included. */
const LONGEST = 4_096;

/** Makes lines of pieces of a file, as they come. */
export interface GcodeReader {
  /** @throws AppError as readGcode does */
  push(chunk: Uint8Array): GcodeLine[];
  /** What is left when the file is over. @throws AppError as readGcode does */
  end(): GcodeLine[];
}

/** @param maxLength of a line as the firmware takes it */
export function createGcodeReader({ maxLength = 80 }: { maxLength?: number } = {}): GcodeReader {
  let rest = '';
  let sourceLine = 0;
  let endByte = 0;
  const one = (raw: string, withEnd: number): GcodeLine | undefined => {
    sourceLine += 1;
    endByte += raw.length + withEnd;
    const text = sendable(raw, sourceLine, maxLength);
    return text === '' ? undefined : { text, sourceLine, endByte };
  };
  return {
    push(chunk) {
      // Latin-1: a character a byte, so that positions are those of the file.
      const raws = (rest + Buffer.from(chunk).toString('latin1')).split('\n');
      rest = raws.pop() ?? '';
      if (rest.length > LONGEST) throw refused(sourceLine + 1, `it is longer than ${LONGEST} characters`);
      return raws.flatMap((raw) => one(raw, 1) ?? []);
    },
    end: () => (rest === '' ? [] : [one(rest, 0) ?? []].flat()),
  };
}

/**
 * G-code as lines that can be sent: without comments (`;…` and `(…)`), empty lines and blanks at the ends.
 * @throws AppError invalid with the line's number: control characters, too long, or a command that belongs to the
 * connection
 */
export async function* readGcode(
  chunks: AsyncIterable<Uint8Array>,
  options: { maxLength?: number } = {},
): AsyncGenerator<GcodeLine[]> {
  const reader = createGcodeReader(options);
  for await (const chunk of chunks) {
    const lines = reader.push(chunk);
    if (lines.length > 0) yield lines;
  }
  const last = reader.end();
  if (last.length > 0) yield last;
}

function sendable(raw: string, sourceLine: number, maxLength: number): string {
  if (raw.length > LONGEST) throw refused(sourceLine, `it is longer than ${LONGEST} characters`);
  const line = raw.endsWith('\r') ? raw.slice(0, -1) : raw;
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  const control = /[\u0000-\u0008\u000a-\u001f\u007f]/.exec(line);
  if (control)
    throw refused(sourceLine, `it holds the control character 0x${control[0].charCodeAt(0).toString(16)}`);
  const bare = /[;(]/.test(line) ? line.replace(/\([^)]*\)/g, '').replace(/;.*$/, '') : line;
  const text = bare.trim();
  if (text.length > maxLength)
    throw refused(sourceLine, `it has ${text.length} characters, and the device takes ${maxLength}`);
  if (/^(N\d+\s*)?M110\b/i.test(text)) throw refused(sourceLine, 'M110 numbers the connection’s own lines');
  return text;
}

const refused = (line: number, why: string): AppError =>
  new AppError('invalid', `line ${line} of the G-code cannot be sent: ${why}`);
