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
      const lines = raws.flatMap((raw) => one(raw, 1) ?? []);
      if (rest.length > LONGEST) throw refused(sourceLine + 1, `it is longer than ${LONGEST} characters`);
      return lines;
    },
    end: () => (rest === '' ? [] : [one(rest, 0) ?? []].flat()),
  };
}

/**
 * G-code as lines that can be sent: without comments (`;…` and `(…)`), empty lines, blanks at the ends, a byte order
 * mark, the `%` around a tape, and numbers and checksums of its own, which are checked: the connection has its own.
 * @throws AppError invalid with the line's number: control characters, too long, a checksum that is wrong, or a command
 * that belongs to the connection
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
  const begun = sourceLine === 1 && raw.startsWith(BYTE_ORDER_MARK) ? raw.slice(BYTE_ORDER_MARK.length) : raw;
  const line = begun.endsWith('\r') ? begun.slice(0, -1) : begun;
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  const control = /[\u0000-\u0008\u000a-\u001f\u007f]/.exec(line);
  if (control)
    throw refused(sourceLine, `it holds the control character 0x${control[0].charCodeAt(0).toString(16)}`);
  const bare = /[;(]/.test(line) ? line.replace(/\([^)]*\)/g, '').replace(/;.*$/, '') : line;
  const text = withoutNumber(bare.trim(), sourceLine);
  if (text === '%') return ''; // where a tape begins and ends
  if (text.length > maxLength)
    throw refused(sourceLine, `it has ${text.length} characters, and the device takes ${maxLength}`);
  const code = /^M0*(\d+)(?!\d)/i.exec(text)?.[1];
  const why = code === undefined ? undefined : notOfPrograms[code];
  if (why !== undefined) throw refused(sourceLine, `M${code} ${why}`);
  return text;
}

/** As bytes, of UTF-8. */
const BYTE_ORDER_MARK = '\u00ef\u00bb\u00bf';

/** What a program cannot hold, and why. */
const notOfPrograms: Record<string, string | undefined> = {
  28: 'and M29 write files on the device’s card: what comes between them would not be done, and what comes after would',
  29: 'and M28 write files on the device’s card: what comes between them would not be done, and what comes after would',
  110: 'numbers the connection’s own lines',
  112: 'is an emergency stop: a program that ends in one cannot be done (M0, M2 and M5 end programs and spindles)',
};

/** Lines have numbers and checksums of the connection's: with two, firmware takes the rest for an unknown command. */
function withoutNumber(line: string, sourceLine: number): string {
  const [, command, checksum] = /^N\d+\s*(.*?)(?:\*(\d+))?$/i.exec(line) ?? [];
  if (command === undefined) return line;
  if (checksum !== undefined) {
    const right = checksumOf(line.slice(0, line.lastIndexOf('*')));
    if (Number(checksum) !== right)
      throw refused(sourceLine, `its checksum is ${checksum}, and ${right} would be right: it is damaged`);
  }
  return command.trim();
}

/** The exclusive or of all characters, as RepRap firmware checks it. */
export function checksumOf(text: string): number {
  let sum = 0;
  for (let at = 0; at < text.length; at++) sum ^= text.charCodeAt(at);
  return sum & 0xff;
}

const refused = (line: number, why: string): AppError =>
  new AppError('invalid', `line ${line} of the G-code cannot be sent: ${why}`);
